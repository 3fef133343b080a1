//! The common part of `stress` and `explore`: locks one after the other, progress, interruption,
//! reports and exit status.

pub mod explore;
pub mod merge;
pub mod replay;
mod reports;
mod resume;
mod screen;
mod server;
pub mod stress;
mod target;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use anyhow::{Error, Result, anyhow};
use lockutils_harness::model::{CheckedReport, Command, Report, Scenario, Verdict, worst};
use lockutils_harness::report;
use lockutils_harness::workers::{LockUnderTest, WorkerError};

use self::reports::Reports;
use self::screen::Screen;
use self::target::Target;
use crate::cli::TrialOptions;
use crate::github;
use crate::lock_directory::LockDirectory;
use crate::output;
use crate::seed::fresh_seed;
use crate::settings::{ConfiguredLock, ConfiguredTrial, Profile};
use crate::sys::Status;

/// A way to test locks: `stress` or `explore`.
trait Trial {
    const COMMAND: Command;

    /// The options of this command in a configured lock.
    fn configured(lock: &ConfiguredLock) -> &ConfiguredTrial;

    /// `true` if every scenario must lead to a verdict even if none was named.
    const ALL_MUST_BE_KNOWN: bool;

    /// Tests one lock. `base` is an empty directory for its files.
    fn try_lock(&self, run: &Run<'_>, subject: &Subject<'_>, base: &Path) -> Result<Report>;
}

/// The lock under test.
struct Subject<'a> {
    lock: LockUnderTest,
    configured: Option<&'a ConfiguredLock>,
    /// The scenarios to run; if empty, the command chooses.
    scenarios: Vec<Scenario>,
}

/// The settings common to all locks of one run.
struct Run<'a> {
    options: &'a TrialOptions,
    profile: Profile,
    seed: u64,
    /// The directory of the artifacts.
    artifacts: Option<PathBuf>,
    /// The directory in which the command was called.
    start: PathBuf,
    screen: Screen,
    interrupted: Arc<AtomicBool>,
}

/// Tests the locks that the options name and returns the exit status.
fn run<T: Trial>(options: &TrialOptions, trial: impl FnOnce(&Run<'_>) -> T) -> Result<Status> {
    screen::unless_interrupted(run_until_interrupted(options, trial))
}

fn run_until_interrupted<T: Trial>(
    options: &TrialOptions,
    trial: impl FnOnce(&Run<'_>) -> T,
) -> Result<Status> {
    let command = T::COMMAND.word();
    let profile = target::profile(&options.lock)?;
    let seed = options.seed.or(profile.fixed_seed());
    let seed = seed.unwrap_or_else(fresh_seed);
    let target = Target::by(&options.lock)?;
    let artifacts = reports::artifacts(options.reports.artifacts.as_deref(), command, seed)?;
    let is_configured = matches!(target, Target::Configured(_));
    let reports = Reports::prepare(
        &options.reports,
        artifacts.as_deref(),
        command,
        is_configured,
    )?;
    github::begins(command, seed)?;
    let run = Run {
        options,
        profile,
        seed,
        artifacts,
        start: std::env::current_dir()?,
        screen: Screen::new(options.reports.json),
        interrupted: screen::interrupted()?,
    };
    let trial = trial(&run);
    let checked = match target {
        Target::Given(lock) => {
            let subject = Subject {
                lock,
                configured: None,
                scenarios: options.scenario.clone(),
            };
            vec![CheckedReport::plain(run.one(&trial, &subject)?)]
        }
        Target::Configured(locks) => {
            let (skipped, locks): (Vec<_>, Vec<_>) =
                locks.iter().partition(|lock| T::configured(lock).skip);
            if locks.is_empty() {
                let names: Vec<&str> = skipped.iter().map(|lock| lock.name.as_str()).collect();
                output::note(format_args!(
                    "nothing to {command}: the configuration sets `{command}.skip` for {}",
                    names.join(", ")
                ));
                return Ok(0);
            }
            run.all(&trial, &locks)?
        }
    };
    let exit_status = match checked.is_empty() {
        // Nothing was tested: never exit with 0.
        true => Verdict::NotKnown.exit_status(),
        false => worst(checked.iter().map(|checked| checked.exit_status)),
    };
    reports.write(&checked, exit_status)?;
    Ok(exit_status.into())
}

impl Run<'_> {
    /// Returns `true` if a report has more than the terminal shows.
    fn has_detailed_reports(&self) -> bool {
        let reports = &self.options.reports;
        reports.json || reports.html.is_some() || self.artifacts.is_some()
    }

    /// Tests the configured locks, one after the other.
    fn all<T: Trial>(&self, trial: &T, locks: &[&ConfiguredLock]) -> Result<Vec<CheckedReport>> {
        let mut reports = Vec::new();
        for configured in locks {
            if self.is_interrupted() {
                break;
            }
            if !reports.is_empty() {
                self.screen.line("");
            }
            target::enter(configured)?;
            let of_command = T::configured(configured);
            let scenarios = match self.options.scenario.is_empty() {
                true => of_command.scenarios.clone(),
                false => self.options.scenario.clone(),
            };
            self.screen.line(&report::name_line(&configured.name));
            let subject = Subject {
                lock: configured.lock()?,
                configured: Some(configured),
                scenarios,
            };
            let report = self.one(trial, &subject)?;
            let named = !subject.scenarios.is_empty();
            let mut expect: BTreeMap<_, _> = of_command.expect.clone();
            expect.retain(|scenario, _| !named || subject.scenarios.contains(scenario));
            let all_must_be_known = named || T::ALL_MUST_BE_KNOWN;
            let name = &configured.name;
            let checked = CheckedReport::new(name, report, &expect, all_must_be_known);
            self.screen.line(&report::checked_line(&checked));
            reports.push(checked);
        }
        Ok(reports)
    }

    /// Tests one lock in its own directory.
    fn one<T: Trial>(&self, trial: &T, subject: &Subject<'_>) -> Result<Report> {
        let report = LockDirectory::with_fresh(|lock_path| {
            let report = trial.try_lock(self, subject, lock_path);
            self.screen.clear();
            report
        })?;
        let mut report = report.map_err(|error| with_tip(error, &subject.lock))?;
        report.exit_status = screen::exit_status(report.exit_status);
        Ok(report)
    }

    fn is_interrupted(&self) -> bool {
        self.interrupted.load(Ordering::Relaxed)
    }
}

/// Adds a tip if the command line may be something other than a worker.
fn with_tip(error: Error, lock: &LockUnderTest) -> Error {
    match error.downcast_ref() {
        Some(WorkerError::NotReady { .. }) if lock.kind() == "worker" => anyhow!(
            "{error}\n  tip: `cargo lockutils worker-check {}` checks a worker; a command that \
             runs another one under a lock needs --wrapper and {{cmd}}",
            lock.arguments()
        ),
        _ => error,
    }
}
