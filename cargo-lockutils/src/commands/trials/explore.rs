//! `cargo lockutils explore`: tests a lock under chosen interleavings.

use std::fs;
use std::path::{Path, PathBuf};
use std::thread;
use std::time::Duration;

use anyhow::{Context, Result, anyhow, bail};
use lockutils_harness::explore::{Budget, Found, Progress, Saved, Search, Shard, outcome};
use lockutils_harness::model::{self, Began, Conditions, Outcome, Report, Scenario, Verdict};
use lockutils_harness::protocol::Capabilities;
use lockutils_harness::report;
use lockutils_harness::stress::offers;

use super::{Run, Subject, reports, screen};
use crate::cli::ExploreOptions;
use crate::settings::{ConfiguredLock, ConfiguredTrial};
use crate::sys::{NO_EXPLORE, Status};

pub fn run(chosen: &ExploreOptions) -> Result<Status> {
    if let Some(why) = NO_EXPLORE {
        bail!("`explore` is not available on this system: {why}");
    }
    super::run(&chosen.trial, |run| Explore {
        chosen,
        duration: chosen
            .trial
            .duration
            .or(run.profile.explore_duration.map(|time| time.0))
            .unwrap_or(Duration::from_secs(60)),
        schedules: chosen.schedules.or(run.profile.schedules).unwrap_or(5000),
        jobs: chosen.jobs.map_or_else(cores, usize::from),
    })
}

/// Number of processors that this process may use.
fn cores() -> usize {
    thread::available_parallelism().map_or(1, usize::from)
}

struct Explore<'a> {
    chosen: &'a ExploreOptions,
    duration: Duration,
    schedules: usize,
    jobs: usize,
}

impl super::Trial for Explore<'_> {
    const COMMAND: model::Command = model::Command::Explore;
    const ALL_MUST_BE_KNOWN: bool = true;

    fn configured(lock: &ConfiguredLock) -> &ConfiguredTrial {
        &lock.explore
    }

    fn try_lock(&self, run: &Run<'_>, subject: &Subject<'_>, base: &Path) -> Result<Report> {
        let began = Began::now();
        let configured = subject.configured;
        let workers = self.chosen.trial.workers;
        let workers = workers.or(configured.and_then(|lock| lock.explore.workers));
        let workers = usize::from(workers.unwrap_or(3));
        let lease = self.chosen.trial.lock.lease;
        let lease = lease.or(configured.and_then(|lock| lock.lease));
        let how = format!("{workers} workers, seed {:#x}", run.seed);
        let title = subject.lock.title();
        run.screen.line(&report::headline(&title, &how));
        run.screen.show("starting a worker".to_owned());
        let can = offers(&subject.lock, &base.join("first"), &run.interrupted)?;
        let scenarios = scenarios(subject, &can);
        let budget = Budget {
            time: self.duration / scenarios.len() as u32,
            schedules: self.schedules,
        };
        let mut outcomes: Vec<Outcome> = Vec::new();
        for scenario in scenarios {
            let search = Search {
                lock: &subject.lock,
                scenario,
                workers,
                rounds: self.chosen.rounds.into(),
                strategy: self.chosen.strategy,
                seed: run.seed,
                lease,
                jobs: self.jobs,
                shard: self.chosen.shard.unwrap_or(Shard::WHOLE),
                base: base.join(scenario.word()),
                settle_time: Duration::ZERO,
                interrupted: &run.interrupted,
            };
            let found = search.search(&budget, &mut |progress| {
                run.screen.show(running(scenario, &budget, &progress));
            });
            let found = match found {
                // Keep the outcomes of earlier scenarios.
                Err(why) if !outcomes.is_empty() => Found::failed(scenario, search.workers, why),
                found => found.map_err(|why| anyhow!("{scenario}: {why}"))?,
            };
            let text = search.counterexample_file(&found, subject.lock.arguments());
            let saved = text.map(|text| self.save(run, subject, scenario, text));
            let saved = saved.transpose()?;
            let outcome = outcome(&search, &found, saved);
            run.screen
                .line(&report::outcome_line(&outcome, screen::width()));
            if let Some(again) = &outcome.again {
                run.screen.line(&format!("  rerun: {again}\n"));
            }
            outcomes.push(outcome);
            if run.is_interrupted() {
                break;
            }
        }
        let interrupted = run.is_interrupted();
        let verdicts = || outcomes.iter().map(|outcome| outcome.verdict);
        // One scenario without a result makes the whole verdict *not known* at best.
        let not_known = verdicts().any(|verdict| verdict == Verdict::NotKnown);
        let verdict = Verdict::worst(verdicts()).unless_not_known(not_known);
        let conditions = Conditions {
            seed: run.seed,
            workers,
            threads: None,
            hold: None,
            lease,
            shard: self.chosen.shard.map(|shard| shard.to_string()),
        };
        Ok(Report::new(
            model::Command::Explore,
            subject.lock.described(&can),
            &conditions,
            began,
            verdict,
            interrupted,
            outcomes,
        ))
    }
}

/// The named scenarios, or else every promise that the worker supports.
fn scenarios(subject: &Subject<'_>, can: &Capabilities) -> Vec<Scenario> {
    if !subject.scenarios.is_empty() {
        return subject.scenarios.clone();
    }
    Scenario::explorable()
        .filter(|scenario| scenario.role() == model::Role::Promise)
        .filter(|scenario| scenario.needs().is_none_or(|needs| can.has(needs)))
        .collect()
}

impl Explore<'_> {
    /// Saves the counterexample to its file.
    fn save(
        &self,
        run: &Run<'_>,
        subject: &Subject<'_>,
        scenario: Scenario,
        text: String,
    ) -> Result<Saved> {
        let name = match subject.configured {
            Some(configured) => format!("lockutils-{}-{scenario}.txt", configured.name),
            None => format!("lockutils-{scenario}.txt"),
        };
        let file: PathBuf = match (&run.artifacts, &self.chosen.save) {
            (Some(folder), _) => folder.join(name),
            (None, Some(file)) => file.clone(),
            (None, None) => name.into(),
        };
        // The current folder may be that of a configured lock.
        fs::write(run.start.join(&file), &text).with_context(|| reports::cannot_write(&file))?;
        let file = file.display().to_string();
        Ok(Saved { file, text })
    }
}

fn running(scenario: Scenario, budget: &Budget, progress: &Progress) -> String {
    if progress.shrinks {
        return format!("{scenario}: shrinking the counterexample");
    }
    let rate = progress.new_schedules as f64 / progress.elapsed.as_secs_f64().max(1e-3);
    let depth = match &progress.depth {
        Some(depth) => format!(", {depth}"),
        None => String::new(),
    };
    let time_left = budget.time.saturating_sub(progress.elapsed);
    let to_run = budget.schedules.saturating_sub(progress.schedules);
    let by_rate = Duration::try_from_secs_f64(to_run as f64 / rate).unwrap_or(Duration::MAX);
    let left = match time_left.min(by_rate) {
        Duration::MAX => String::new(),
        left => format!(", {} left", brief(left)),
    };
    let most = match budget.schedules {
        usize::MAX => String::new(),
        most => format!(" of {most}"),
    };
    let schedules = progress.schedules;
    format!("{scenario}: {schedules}{most} schedules, {rate:.0}/s{depth}{left}")
}

/// A time to the second or minute.
fn brief(time: Duration) -> String {
    match time.as_secs() {
        seconds @ 0..120 => format!("{seconds} s"),
        seconds @ 120..7200 => format!("{} min", seconds / 60),
        seconds => format!("{} h", seconds / 3600),
    }
}
