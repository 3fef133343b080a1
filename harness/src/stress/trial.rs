//! All scenarios of one lock, one after the other.

use std::collections::HashSet;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use nix::sys::signal::{Signal, kill};
use nix::sys::wait::{WaitPidFlag, waitpid};
use nix::unistd::Pid;

use crate::model::{Command, Outcome, Report, Verdict};

use super::load::{Load, again};
use super::plan::{Options, Shares};
use crate::model::Scenario;
use crate::procfs;
use crate::protocol::Capabilities;
use crate::workers::LockUnderTest;
use crate::workers::pool::{WorkerPool, WorkerSpawner};
use crate::workers::worker::allow_many_descriptors;

pub use super::load::Progress;

/// What is told while a trial runs.
#[derive(Debug)]
pub enum TrialEvent<'a> {
    /// The worker works; these scenarios will run.
    Begun(&'a [Scenario]),
    /// A scenario is under way.
    Running(Scenario, Duration, Progress),
    /// A scenario is done.
    Done(&'a Outcome),
}

/// A lock, and how it is tried.
#[derive(Debug)]
pub struct Trial<'a> {
    lock: &'a LockUnderTest,
    options: &'a Options,
    base: PathBuf,
    /// Children of this process that have nothing to do with the trial.
    strangers: HashSet<Pid>,
}

impl<'a> Trial<'a> {
    /// A trial that keeps the locks and everything else below `base`, which must be empty.
    pub fn new(lock: &'a LockUnderTest, options: &'a Options, base: &Path) -> Self {
        Trial {
            lock,
            options,
            base: base.to_owned(),
            strangers: procfs::children().collect(),
        }
    }

    /// Runs all scenarios, until `interrupted` is set. No process that it started lives on; what workers leave behind becomes a child of
    /// this process and is ended, so nothing else may start children meanwhile.
    ///
    /// # Errors
    /// If no worker starts: a sentence for the user.
    pub fn run(
        &self,
        interrupted: &AtomicBool,
        tell: &mut dyn FnMut(TrialEvent<'_>),
    ) -> Result<Report, String> {
        // What workers leave behind becomes our child, so that it can be ended and reaped (prctl(2), Linux 3.4).
        let _ = nix::sys::prctl::set_child_subreaper(true);
        allow_many_descriptors();
        let began = Instant::now();
        let began_unix = SystemTime::now()
            .duration_since(UNIX_EPOCH)
            .map_or(0, |time| time.as_secs());
        let can = self.first_worker(interrupted);
        self.end_what_is_left();
        let can = can?;
        let Shares { able, unable } = self.options.shares(&can);
        let running: Vec<Scenario> = able.iter().map(|(scenario, _)| *scenario).collect();
        tell(TrialEvent::Begun(&running));
        let mut outcomes = Vec::new();
        for scenario in Scenario::ALL {
            let outcome = if let Some((_, share)) = able.iter().find(|(s, _)| *s == scenario) {
                if interrupted.load(Ordering::Relaxed) {
                    self.not_known(scenario, "interrupted before its turn".into())
                } else {
                    let mut progress = |sofar| tell(TrialEvent::Running(scenario, *share, sofar));
                    self.one(scenario, *share, &can, interrupted, &mut progress)
                }
            } else if let Some((_, why)) = unable.iter().find(|(s, _)| *s == scenario) {
                self.not_known(scenario, why.clone())
            } else {
                continue;
            };
            tell(TrialEvent::Done(&outcome));
            outcomes.push(outcome);
        }
        let interrupted = interrupted.load(Ordering::Relaxed);
        let verdict = self.verdict(&outcomes, &running);
        Ok(Report {
            schema: crate::model::SCHEMA,
            tool: env!("CARGO_PKG_VERSION"),
            lock: crate::model::Lock {
                kind: self.lock.kind(),
                title: self.lock.title(),
                arguments: self.lock.arguments(),
                offers: can.words(),
            },
            seed: format!("{:#x}", self.options.seed),
            command: Command::Stress,
            workers: self.options.workers,
            threads: Some(self.options.threads),
            hold_ms: Some(self.options.hold.as_secs_f64() * 1e3),
            lease_ms: self.options.lease.map(|lease| lease.as_secs_f64() * 1e3),
            began_unix,
            seconds: began.elapsed().as_secs_f64(),
            interrupted,
            verdict,
            exit_status: verdict.exit_status_if(interrupted),
            outcomes,
        })
    }

    /// The worst of what counts. What was asked for by name and could not be tried is not passed over, nor is a promise that the lock can be asked to
    /// keep and that came to nothing.
    fn verdict(&self, outcomes: &[Outcome], running: &[Scenario]) -> Verdict {
        let counted = || outcomes.iter().filter(|outcome| outcome.counts);
        let worst = Verdict::worst(counted().map(|outcome| outcome.verdict));
        let was_to_run = |outcome: &&Outcome| {
            !self.options.scenarios.is_empty()
                || running.iter().any(|scenario| *scenario == outcome.scenario)
        };
        let not_known = counted()
            .filter(was_to_run)
            .any(|outcome| outcome.verdict == Verdict::NotKnown);
        worst.unless_not_known(not_known)
    }

    fn spawner(&self, place: &str, threads: usize) -> Result<WorkerSpawner<'a>, String> {
        let seed = self.options.seed ^ number_of(place);
        // Servers keep locks from one scenario to the next, and from one run to the next: the name is new each time.
        let name = format!(
            "lock-{:x}-{place}",
            (self.options.seed ^ u64::from(std::process::id())) & 0xff_ffff
        );
        WorkerSpawner::new(self.lock, self.base.join(place), name, threads, seed).map_err(|error| {
            format!(
                "no directory for the workers below {}: {error}",
                self.base.display()
            )
        })
    }

    /// Starts one worker alone, to learn what it can do.
    fn first_worker(&self, interrupted: &AtomicBool) -> Result<Capabilities, String> {
        let (process, can, _) = self
            .spawner("first", self.options.threads)?
            .unless(interrupted)
            .start_ready(0)?;
        drop(process);
        Ok(can)
    }

    fn not_known(&self, scenario: Scenario, why: String) -> Outcome {
        let again = again(scenario, self.options, self.lock);
        Outcome::not_tried(scenario, self.options.counts(scenario), why, again)
    }

    fn one(
        &self,
        scenario: Scenario,
        share: Duration,
        can: &Capabilities,
        interrupted: &AtomicBool,
        progress: &mut dyn FnMut(Progress),
    ) -> Outcome {
        let processes = self.options.workers;
        let (processes, threads, spares) = match scenario {
            Scenario::Threads => (1, self.options.threads, 0),
            // The more wait for a lock whose holder has died, the likelier two of them take it over at once.
            Scenario::Die => (2 * processes, 1, processes),
            Scenario::Respawn => (processes, 1, processes),
            _ => (processes, 1, 0),
        };
        let pool = self
            .spawner(scenario.word(), threads)
            .map(|spawner| spawner.unless(interrupted))
            .and_then(|spawner| WorkerPool::gather(spawner, processes, spares));
        let outcome = match pool {
            Ok(pool) => {
                Load::new(scenario, self.options, can, interrupted, pool).run(share, progress)
            }
            Err(why) => self.not_known(scenario, why),
        };
        self.end_what_is_left();
        outcome
    }

    /// Ends what workers started and left behind, also what has left their process groups.
    fn end_what_is_left(&self) {
        let deadline = Instant::now() + Duration::from_secs(2);
        loop {
            while waitpid(None, Some(WaitPidFlag::WNOHANG))
                .is_ok_and(|status| status.pid().is_some())
            {}
            let adopted = procfs::children().filter(|pid| !self.strangers.contains(pid));
            let left: HashSet<Pid> = procfs::with_lock_path_in(&self.base)
                .into_iter()
                .chain(adopted)
                .collect();
            if left.is_empty() || Instant::now() >= deadline {
                break;
            }
            for pid in left {
                let _ = kill(pid, Signal::SIGKILL);
            }
            std::thread::sleep(Duration::from_millis(1));
        }
    }
}

/// What a worker of this lock says that it can do.
///
/// # Errors
/// If it does not start: a sentence for the user.
pub fn offers(
    lock: &LockUnderTest,
    base: &Path,
    interrupted: &AtomicBool,
) -> Result<Capabilities, String> {
    WorkerSpawner::new(lock, base.to_owned(), "lock-1".into(), 1, 1)
        .map_err(|error| format!("no directory for the workers: {error}"))?
        .unless(interrupted)
        .start_ready(0)
        .map(|(_, can, _)| can)
}

/// A number for a word (FNV-1a).
fn number_of(word: &str) -> u64 {
    word.bytes().fold(0xcbf2_9ce4_8422_2325, |hash, byte| {
        (hash ^ u64::from(byte)).wrapping_mul(0x100_0000_01b3)
    })
}
