//! `cargo lockutils stress`: tests a lock under load and faults.

use std::path::Path;
use std::time::Duration;

use anyhow::Result;
use lockutils_harness::model::{self, Report, Scenario};
use lockutils_harness::report;
use lockutils_harness::stress::{Options, Progress, Trial, TrialEvent};

use super::screen::{self, Screen};
use super::{Run, Subject};
use crate::cli::StressOptions;
use crate::settings::{ConfiguredLock, ConfiguredTrial};
use crate::sys::Status;

pub fn run(chosen: &StressOptions) -> Result<Status> {
    super::run(&chosen.trial, |run| Stress {
        options: options(chosen, run),
    })
}

struct Stress {
    options: Options,
}

impl super::Trial for Stress {
    const COMMAND: model::Command = model::Command::Stress;
    const ALL_MUST_BE_KNOWN: bool = false;

    fn configured(lock: &ConfiguredLock) -> &ConfiguredTrial {
        &lock.stress
    }

    fn try_lock(&self, run: &Run<'_>, subject: &Subject<'_>, base: &Path) -> Result<Report> {
        let mut options = self.options.clone();
        options.scenarios.clone_from(&subject.scenarios);
        options.lease = options
            .lease
            .or(subject.configured.and_then(|lock| lock.lease));
        let screen = &run.screen;
        let title = subject.lock.title();
        screen.line(&report::headline(&title, &load(&options)));
        let report = Trial::new(&subject.lock, &options, base)
            .run(&run.interrupted, &mut |event| show(screen, &event))?;
        screen.clear();
        for evidence in report.outcomes.iter().filter_map(report::evidence) {
            screen.line(&format!("\n{}", evidence.trim_end()));
        }
        screen.line(&format!("\n{}", report::verdict_line(&report)));
        Ok(report)
    }
}

/// The options in effect: the command line overrides the profile, the profile the defaults.
fn options(chosen: &StressOptions, run: &Run<'_>) -> Options {
    let default = Options::default();
    let profile = &run.profile;
    let time = |here: Option<Duration>, there: Option<Duration>, default: Duration| {
        here.or(there).unwrap_or(default)
    };
    let number = |here: Option<u16>, there: Option<u16>, default: usize| {
        here.or(there).map_or(default, usize::from)
    };
    let trial = &chosen.trial;
    Options {
        seed: run.seed,
        duration: time(
            trial.duration,
            profile.duration.map(|time| time.0),
            default.duration,
        ),
        workers: number(trial.workers, profile.workers, default.workers),
        threads: number(chosen.threads, profile.threads, default.threads),
        hold: time(chosen.hold, profile.hold.map(|time| time.0), default.hold),
        lease: trial.lock.lease,
        stuck_after: chosen.stuck_after,
        scenarios: trial.scenario.clone(),
        deny_hazards: chosen.deny_hazards || profile.deny_hazards,
    }
}

/// The load, for the headline.
fn load(options: &Options) -> String {
    let hold = report::time(options.hold.as_nanos() as f64 / 1e3);
    let lease = options.lease.map_or_else(String::new, |lease| {
        format!(", lease {}", report::time(lease.as_micros() as f64))
    });
    format!(
        "{} workers, sections of up to {hold}{lease}, seed {:#x}",
        options.workers, options.seed
    )
}

fn show(screen: &Screen, event: &TrialEvent<'_>) {
    match event {
        TrialEvent::Started(_) => screen.show("starting workers".to_owned()),
        TrialEvent::Running(scenario, share, progress) => {
            screen.show(running(*scenario, *share, *progress));
        }
        TrialEvent::Done(outcome) => {
            screen.line(&report::outcome_line(outcome, screen::width()));
        }
    }
}

fn running(scenario: Scenario, share: Duration, progress: Progress) -> String {
    let (elapsed, share) = (progress.elapsed.as_secs_f64(), share.as_secs_f64());
    let overlaps = match progress.overlaps {
        0 => String::new(),
        overlaps => format!(", {overlaps} overlaps"),
    };
    let waiting = match elapsed > share + 0.5 {
        true => " (waiting until the last workers get the lock)",
        false => "",
    };
    format!(
        "{scenario}: {elapsed:.1} of {share:.1} s, {} sections{overlaps}{waiting}",
        progress.sections
    )
}
