//! `cargo lockutils explore`: tests a lock under chosen interleavings.

use std::fs;
use std::path::{Path, PathBuf};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, anyhow, bail};
use lockutils_harness::engines::Server;
use lockutils_harness::explore::{
    Budget, Found, Progress, Saved, Search, Shard, adopt_orphans, outcome,
};
use lockutils_harness::model::{self, Began, Conditions, Outcome, Report, Scenario, Verdict};
use lockutils_harness::protocol::Capabilities;
use lockutils_harness::report;
use lockutils_harness::stress::offers;

use super::resume::{ResumeFile, ScenarioState, SearchConditions};
use super::server::{on_server, server};
use super::{Run, Subject, reports, screen};
use crate::cli::ExploreOptions;
use crate::seed::fresh_seed;
use crate::settings::{ConfiguredLock, ConfiguredTrial};
use crate::sys::{NO_EXPLORE, Status};

pub fn run(chosen: &ExploreOptions) -> Result<Status> {
    if let Some(why) = NO_EXPLORE {
        bail!("`explore` is not available on this system: {why}");
    }
    adopt_orphans();
    let mut chosen = chosen.clone();
    let resume = match chosen.resume.take() {
        Some(path) => Some(ResumeFile::open(path, chosen.trial.seed, fresh_seed())?),
        None => None,
    };
    if let Some(resume) = &resume {
        chosen.trial.seed = Some(resume.seed());
    }
    super::run(&chosen.trial, |run| {
        let duration = chosen.trial.duration;
        let duration = duration.or(run.profile.explore_duration.map(|time| time.0));
        Explore {
            chosen: &chosen,
            duration: match chosen.until_broken {
                true => chosen.trial.duration.unwrap_or(Duration::MAX),
                false => duration.unwrap_or(Duration::from_secs(60)),
            },
            schedules: chosen.schedules.or(run.profile.schedules).unwrap_or(5000),
            jobs: chosen.jobs.map_or_else(cores, usize::from),
            resume: resume.as_ref(),
        }
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
    resume: Option<&'a ResumeFile>,
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
        // An option overrides both keys of the configuration.
        let server = match (&self.chosen.servers, &self.chosen.server, configured) {
            (None, None, Some(lock)) => server(lock.servers.as_ref(), lock.server.as_deref(), base),
            (engine, address, _) => server(engine.as_ref(), address.as_deref(), base),
        }?;
        let server = server.as_ref();
        let lock = on_server(&subject.lock, server);
        let can = offers(&lock, &base.join("first"), &run.interrupted)?;
        let has_leases = server.is_some_and(Server::has_leases);
        let scenarios = scenarios(subject, &can, has_leases);
        let conditions = SearchConditions {
            lock: subject.lock.arguments(),
            server: server.and_then(|server| server.started_engine().or(server.running_address())),
            seed: run.seed,
            workers,
            rounds: self.chosen.rounds.into(),
            crashes: self.chosen.crashes.into(),
            lease_ms: lease.map(|lease| lease.as_secs_f64() * 1e3),
            strategy: self.chosen.strategy,
            shard: self.chosen.shard.unwrap_or(Shard::WHOLE),
        };
        let key = configured.map_or_else(|| subject.lock.arguments(), |lock| lock.name.clone());
        let mut saved = match self.resume {
            Some(resume) => resume.take(&key, &conditions)?,
            None => Vec::new(),
        };
        let of_scenario = |scenario: Scenario| {
            let search = Search {
                lock: &lock,
                scenario,
                workers,
                rounds: conditions.rounds,
                crashes: conditions.crashes,
                strategy: conditions.strategy,
                seed: run.seed,
                lease,
                jobs: self.jobs,
                shard: conditions.shard,
                base: base.join(scenario.word()),
                settle_time: Duration::ZERO,
                server,
                interrupted: &run.interrupted,
            };
            let known = saved.iter().position(|(known, _)| *known == scenario);
            let state = known.map(|known| saved.swap_remove(known).1);
            let state = state.unwrap_or_else(|| ScenarioState::Open(Box::new(search.begin())));
            ScenarioSearch {
                search,
                state,
                outcome: None,
                is_over: false,
            }
        };
        let mut searches: Vec<ScenarioSearch<'_>> =
            scenarios.into_iter().map(of_scenario).collect();
        let result = self.search(run, subject, &mut searches);
        let outcomes: Vec<Outcome> = searches
            .iter_mut()
            .filter_map(|one| one.outcome.take())
            .collect();
        if let Some(resume) = self.resume {
            let others = saved.into_iter();
            let states = searches
                .into_iter()
                .map(|one| (one.search.scenario, one.state));
            resume.save(&key, &conditions, states.chain(others).collect())?;
        }
        result?;
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

/// The search in one scenario.
struct ScenarioSearch<'a> {
    search: Search<'a>,
    state: ScenarioState,
    /// The result so far.
    outcome: Option<Outcome>,
    /// Set once there is nothing left to run.
    is_over: bool,
}

impl Explore<'_> {
    /// Searches in all scenarios, one after the other; with --until-broken again and again, each
    /// time for twice as many schedules.
    fn search(
        &self,
        run: &Run<'_>,
        subject: &Subject<'_>,
        searches: &mut [ScenarioSearch<'_>],
    ) -> Result<()> {
        let began = Instant::now();
        let count = searches.len() as u32;
        let mut schedules = self.schedules;
        loop {
            for at in 0..searches.len() {
                if run.is_interrupted() && at > 0 {
                    break;
                }
                let time = match self.chosen.until_broken {
                    true => self.duration.saturating_sub(began.elapsed()),
                    false => self.duration / count,
                };
                let budget = Budget { time, schedules };
                let none_before = searches.iter().all(|one| one.outcome.is_none());
                self.search_one(run, subject, &mut searches[at], &budget, none_before)?;
                if let Some(outcome) = &searches[at].outcome
                    && !self.chosen.until_broken
                {
                    show(run, outcome);
                }
            }
            let is_open = |one: &ScenarioSearch<'_>| {
                !one.is_over && matches!(one.state, ScenarioState::Open(_))
            };
            let goes_on = self.chosen.until_broken
                && !run.is_interrupted()
                && began.elapsed() < self.duration
                && searches.iter().any(is_open)
                && !searches
                    .iter()
                    .any(|one| matches!(one.state, ScenarioState::Found(_)));
            if !goes_on {
                break;
            }
            schedules = schedules.saturating_mul(2);
        }
        if self.chosen.until_broken {
            for outcome in searches.iter().filter_map(|one| one.outcome.as_ref()) {
                show(run, outcome);
            }
        }
        Ok(())
    }

    fn search_one(
        &self,
        run: &Run<'_>,
        subject: &Subject<'_>,
        one: &mut ScenarioSearch<'_>,
        budget: &Budget,
        is_first: bool,
    ) -> Result<()> {
        let scenario = one.search.scenario;
        let planner = match &mut one.state {
            ScenarioState::Open(planner) => planner,
            ScenarioState::Found(outcome) => {
                one.outcome = Some((**outcome).clone());
                return Ok(());
            }
        };
        let began = Instant::now();
        let found = one.search.go_on(planner, budget, &mut |progress| {
            run.screen.show(running(scenario, budget, &progress));
        });
        let mut found = match found {
            // Keep the outcomes of earlier scenarios.
            Err(why) if !is_first => Found::failed(scenario, one.search.workers, why),
            found => found.map_err(|why| anyhow!("{scenario}: {why}"))?,
        };
        one.is_over = found.schedules < budget.schedules
            && began.elapsed() < budget.time
            && !found.interrupted;
        if found.counterexample.is_some() && (run.has_detailed_reports() || self.resume.is_some()) {
            run.screen.show(format!(
                "{scenario}: recording the states of the counterexample"
            ));
            if let Err(why) = one.search.illustrate(&mut found) {
                run.screen
                    .line(&format!("  the report has no states of its steps: {why}"));
            }
        }
        let text = one
            .search
            .counterexample_file(&found, subject.lock.arguments());
        let saved = text.map(|text| self.save(run, subject, scenario, text));
        let outcome = outcome(&one.search, &found, saved.transpose()?);
        if found.counterexample.is_some() {
            one.state = ScenarioState::Found(Box::new(outcome.clone()));
        }
        one.outcome = Some(outcome);
        Ok(())
    }

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

fn show(run: &Run<'_>, outcome: &Outcome) {
    let line = report::outcome_line(outcome, screen::width());
    run.screen.line(&line);
    if let Some(again) = &outcome.again {
        run.screen.line(&format!("  rerun: {again}\n"));
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
