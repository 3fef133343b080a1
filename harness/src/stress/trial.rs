//! All scenarios of one lock, one after the other.

use std::collections::HashSet;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use super::load::{Load, again};
use super::plan::{Options, Shares};
use crate::model::{Began, Command, Conditions, Outcome, Report, Scenario, Verdict};
use crate::protocol::Capabilities;
use crate::sys::{self, inspect, program};
use crate::workers::pool::{WorkerPool, WorkerSpawner};
use crate::workers::worker::allow_many_descriptors;
use crate::workers::{LockUnderTest, WorkerError};

pub use super::load::Progress;

/// Events of a running trial.
#[derive(Debug)]
pub enum TrialEvent<'a> {
    /// The first worker became ready; these scenarios will run.
    Started(&'a [Scenario]),
    /// Progress of a scenario with its share of the time.
    Running(Scenario, Duration, Progress),
    /// The outcome of a scenario.
    Done(&'a Outcome),
}

/// A trial of one lock.
#[derive(Debug)]
pub struct Trial<'a> {
    lock: &'a LockUnderTest,
    options: &'a Options,
    base: PathBuf,
    /// Children of this process that do not belong to the trial.
    unrelated: HashSet<u32>,
}

impl<'a> Trial<'a> {
    /// A trial that keeps its locks and pipes below `base`, which must be empty.
    pub fn new(lock: &'a LockUnderTest, options: &'a Options, base: &Path) -> Self {
        Trial {
            lock,
            options,
            base: base.to_owned(),
            unrelated: inspect::children().into_iter().collect(),
        }
    }

    /// Runs all scenarios, or until `interrupted` is set.
    ///
    /// Every process that the trial started is dead when this returns. Orphans of workers become
    /// children of this process and are killed, so the caller must not start children meanwhile.
    ///
    /// # Errors
    /// Returns an error if no worker becomes ready.
    pub fn run(
        &self,
        interrupted: &AtomicBool,
        on_event: &mut dyn FnMut(TrialEvent<'_>),
    ) -> Result<Report, WorkerError> {
        // Orphans of workers become our children, so that they can be reaped.
        program::adopt_orphans();
        allow_many_descriptors();
        let began = Began::now();
        let capabilities = self.first_worker(interrupted);
        self.kill_leftovers();
        let capabilities = capabilities?;
        let Shares { able, unable } = self.options.shares(&capabilities);
        let running: Vec<Scenario> = able.iter().map(|(scenario, _)| *scenario).collect();
        on_event(TrialEvent::Started(&running));
        let mut outcomes = Vec::new();
        for scenario in Scenario::stressable() {
            let outcome = if let Some((_, share)) = able.iter().find(|(s, _)| *s == scenario) {
                if interrupted.load(Ordering::Relaxed) {
                    self.not_known(scenario, "interrupted before its turn".into())
                } else {
                    let mut progress =
                        |so_far| on_event(TrialEvent::Running(scenario, *share, so_far));
                    self.run_scenario(scenario, *share, &capabilities, interrupted, &mut progress)
                }
            } else if let Some((_, why)) = unable.iter().find(|(s, _)| *s == scenario) {
                self.not_known(scenario, why.clone())
            } else {
                continue;
            };
            on_event(TrialEvent::Done(&outcome));
            outcomes.push(outcome);
        }
        let interrupted = interrupted.load(Ordering::Relaxed);
        let verdict = self.verdict(&outcomes, &running);
        let conditions = Conditions {
            seed: self.options.seed,
            workers: self.options.workers,
            threads: Some(self.options.threads),
            hold: Some(self.options.hold),
            lease: self.options.lease,
        };
        Ok(Report::new(
            Command::Stress,
            self.lock.described(&capabilities),
            &conditions,
            began,
            verdict,
            interrupted,
            outcomes,
        ))
    }

    /// The worst verdict among the scenarios that count; *not known* if one of them was named, or
    /// is supported, and has no verdict.
    fn verdict(&self, outcomes: &[Outcome], running: &[Scenario]) -> Verdict {
        let counted = || outcomes.iter().filter(|outcome| outcome.counts);
        let worst = Verdict::worst(counted().map(|outcome| outcome.verdict));
        let was_to_run = |outcome: &&Outcome| {
            !self.options.scenarios.is_empty() || running.contains(&outcome.scenario)
        };
        let not_known = counted()
            .filter(was_to_run)
            .any(|outcome| outcome.verdict == Verdict::NotKnown);
        worst.unless_not_known(not_known)
    }

    fn spawner(&self, folder: &str, threads: usize) -> Result<WorkerSpawner<'a>, WorkerError> {
        let seed = self.options.seed ^ hash(folder);
        // Servers keep locks between scenarios and between runs, so every name is new.
        let name = format!(
            "lock-{:x}-{folder}",
            (self.options.seed ^ u64::from(std::process::id())) & 0xff_ffff
        );
        WorkerSpawner::new(self.lock, self.base.join(folder), name, threads, seed)
    }

    /// Starts one worker alone, to learn its capabilities.
    fn first_worker(&self, interrupted: &AtomicBool) -> Result<Capabilities, WorkerError> {
        let (_, capabilities) = self
            .spawner("first", self.options.threads)?
            .stop_when(interrupted)
            .start_ready(0)?;
        Ok(capabilities)
    }

    fn not_known(&self, scenario: Scenario, why: String) -> Outcome {
        let again = again(scenario, self.options, self.lock);
        Outcome::not_tried(scenario, self.options.counts(scenario), why, again)
    }

    fn run_scenario(
        &self,
        scenario: Scenario,
        share: Duration,
        capabilities: &Capabilities,
        interrupted: &AtomicBool,
        progress: &mut dyn FnMut(Progress),
    ) -> Outcome {
        let processes = self.options.workers;
        let (processes, threads, spares) = match scenario {
            Scenario::Threads => (1, self.options.threads, 0),
            // The more workers wait for the lock of a dead holder, the likelier two of them take it
            // over.
            Scenario::Die => (2 * processes, 1, processes),
            Scenario::Respawn => (processes, 1, processes),
            _ => (processes, 1, 0),
        };
        let pool = self
            .spawner(scenario.word(), threads)
            .map(|spawner| spawner.stop_when(interrupted))
            .and_then(|spawner| WorkerPool::gather(spawner, processes, spares));
        let outcome = match pool {
            Ok(pool) => Load::new(scenario, self.options, capabilities, interrupted, pool)
                .run(share, progress),
            Err(error) => self.not_known(scenario, error.to_string()),
        };
        self.kill_leftovers();
        outcome
    }

    /// Kills processes that workers left behind, even outside their process groups.
    fn kill_leftovers(&self) {
        let deadline = Instant::now() + Duration::from_secs(2);
        loop {
            program::reap_all();
            let children = inspect::children().into_iter();
            let adopted = children.filter(|pid| !self.unrelated.contains(pid));
            let left: HashSet<u32> = inspect::with_lock_path_in(&self.base)
                .into_iter()
                .chain(adopted)
                .collect();
            if left.is_empty() || Instant::now() >= deadline {
                break;
            }
            for pid in left {
                sys::kill(pid);
            }
            std::thread::sleep(Duration::from_millis(1));
        }
    }
}

/// The capabilities of a worker of this lock.
///
/// # Errors
/// Returns an error if the worker does not become ready.
pub fn offers(
    lock: &LockUnderTest,
    base: &Path,
    interrupted: &AtomicBool,
) -> Result<Capabilities, WorkerError> {
    WorkerSpawner::new(lock, base.to_owned(), "lock-1".into(), 1, 1)?
        .stop_when(interrupted)
        .start_ready(0)
        .map(|(_, capabilities)| capabilities)
}

/// A hash of a word (FNV-1a).
fn hash(word: &str) -> u64 {
    word.bytes().fold(0xcbf2_9ce4_8422_2325, |hash, byte| {
        (hash ^ u64::from(byte)).wrapping_mul(0x100_0000_01b3)
    })
}
