//! `cargo lockutils explore`: tests a lock under chosen interleavings.

use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context, Result, anyhow, bail};
use lockutils_harness::engines::Server;
use lockutils_harness::explore::{Budget, Found, Progress, Saved, Search, adopt_orphans, outcome};
use lockutils_harness::model::{self, Began, Conditions, Outcome, Report, Scenario, Verdict};
use lockutils_harness::protocol::Capabilities;
use lockutils_harness::report;
use lockutils_harness::stress::offers;

use super::server::{on_server, server};
use super::{Run, Subject, reports, screen};
use crate::cli::ExploreOptions;
use crate::settings::{ConfiguredLock, ConfiguredTrial};
use crate::sys::{NO_EXPLORE, Status};

pub fn run(chosen: &ExploreOptions) -> Result<Status> {
    if let Some(why) = NO_EXPLORE {
        bail!("`explore` is not available on this system: {why}");
    }
    adopt_orphans();
    super::run(&chosen.trial, |run| Explore {
        chosen,
        duration: chosen
            .trial
            .duration
            .or(run.profile.explore_duration.map(|time| time.0))
            .unwrap_or(Duration::from_secs(60)),
        schedules: chosen.schedules.or(run.profile.schedules).unwrap_or(5000),
    })
}

struct Explore<'a> {
    chosen: &'a ExploreOptions,
    duration: Duration,
    schedules: usize,
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
        let server = server(
            self.chosen.servers.as_ref(),
            self.chosen.server.as_deref(),
            base,
        )?;
        let server = server.as_ref();
        let lock = on_server(&subject.lock, server);
        let can = offers(&lock, &base.join("first"), &run.interrupted)?;
        let has_leases = server.is_some_and(Server::has_leases);
        let scenarios = scenarios(subject, &can, has_leases);
        let budget = Budget {
            time: self.duration / scenarios.len() as u32,
            schedules: self.schedules,
        };
        let mut outcomes: Vec<Outcome> = Vec::new();
        for scenario in scenarios {
            let mut search = Search {
                lock: &lock,
                scenario,
                workers,
                rounds: self.chosen.rounds.into(),
                crashes: self.chosen.crashes.into(),
                strategy: self.chosen.strategy,
                seed: run.seed,
                lease,
                base: base.join(scenario.word()),
                settle_time: Duration::ZERO,
                server,
                interrupted: &run.interrupted,
            };
            let found = search.search(&budget, &mut |progress| {
                run.screen.show(running(scenario, &budget, progress));
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

/// The named scenarios, or else every promise that the worker and the server support.
fn scenarios(subject: &Subject<'_>, can: &Capabilities, has_leases: bool) -> Vec<Scenario> {
    if !subject.scenarios.is_empty() {
        return subject.scenarios.clone();
    }
    Scenario::explorable()
        .filter(|scenario| scenario.role() == model::Role::Promise)
        .filter(|scenario| *scenario != Scenario::Expire || has_leases)
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

fn running(scenario: Scenario, budget: &Budget, progress: Progress) -> String {
    let doing = match progress.shrinks {
        true => "; shrinking the counterexample",
        false => "",
    };
    format!(
        "{scenario}: {:.1} of {:.1} s, {} of {} schedules{doing}",
        progress.elapsed.as_secs_f64(),
        budget.time.as_secs_f64(),
        progress.schedules,
        budget.schedules
    )
}
