//! A search for a schedule in which two workers are in the section at once, and the runs of single
//! schedules.

use std::path::PathBuf;
use std::sync::atomic::AtomicBool;
use std::time::{Duration, Instant};

use crate::engines::Server;
use crate::stress::statistics::Quotes;
use crate::workers::LockUnderTest;
use crate::workers::pool::WorkerSpawner;

use super::arch::SUPPORTED;
use super::controller::Controller;
use super::counterexample::Counterexample;
use super::end::End;
use super::error::ExploreError;
use super::found::Found;
use super::moves::{Move, faults};
use super::run::{RunConfig, run};
use super::strategy::{Choice, Replay, Shard};
use super::trace::Trace;
use crate::model::Scenario;

/// The limits of a search.
#[derive(Clone, Debug)]
pub struct Budget {
    /// Maximum time, before shrinking and replays.
    pub time: Duration,
    /// Maximum number of schedules.
    pub schedules: usize,
}

/// A search for a counterexample to one lock in one scenario.
#[derive(Clone)]
pub struct Search<'a> {
    /// The lock.
    pub lock: &'a LockUnderTest,
    /// The scenario.
    pub scenario: Scenario,
    /// Number of competing workers.
    pub workers: usize,
    /// Acquisitions per worker.
    pub rounds: usize,
    /// Maximum number of crashes in a schedule, in the scenarios that have them.
    pub crashes: usize,
    /// The search strategy.
    pub strategy: Choice,
    /// The seed of random strategies and of the lock's name.
    pub seed: u64,
    /// The lock's lease, if it has one.
    pub lease: Option<Duration>,
    /// Number of explorers, each with its own workers.
    pub jobs: usize,
    /// The part of the search to run.
    pub shard: Shard,
    /// An empty directory.
    pub base: PathBuf,
    /// Real time for which a dead holder is left before the other workers begin. The search finds
    /// out whether this is needed.
    pub settle_time: Duration,
    /// The server that the workers use, if the user named one.
    pub server: Option<&'a Server>,
    /// Ends the search soon after it is set.
    pub interrupted: &'a AtomicBool,
}

/// Maximum number of leases that run out in a schedule of the scenario `expire`.
const EXPIRIES: usize = 1;

/// Makes this process the parent of processes whose own parents are killed in a search, so that it
/// can reap them. For a program that does nothing else.
pub fn adopt_orphans() {
    crate::sys::program::adopt_orphans();
}

/// The progress of a search.
#[derive(Clone, Debug)]
pub struct Progress {
    /// Number of schedules that were run.
    pub schedules: usize,
    /// Number of these that were run since the search began or was continued.
    pub new_schedules: usize,
    /// Time since then.
    pub elapsed: Duration,
    /// The depth that the systematic strategies have reached, in words.
    pub depth: Option<String>,
    /// Set while a counterexample is being shrunk.
    pub shrinks: bool,
}

impl<'a> Search<'a> {
    /// The file of the counterexample that this search has found, if any. `lock` is the lock as a
    /// replay names it.
    pub fn counterexample_file(&self, found: &Found, lock: String) -> Option<String> {
        let trace = found.counterexample.as_ref()?;
        let counterexample = Counterexample {
            lock,
            scenario: found.scenario,
            workers: found.workers,
            rounds: self.rounds,
            seed: self.seed,
            lease: self.lease,
            settle_time: found.settle_time,
            patient: trace.looked_in_real_time(),
            processor: Some(std::env::consts::ARCH.to_owned()),
            servers: self.server.and_then(Server::started_engine),
            server: self.server.and_then(Server::running_address),
            moves: trace.moves(),
        };
        Some(counterexample.to_text(trace))
    }

    /// The controller of the workers, ready for schedules.
    ///
    /// # Errors
    /// If the system or the processor is not supported, or there is no directory for the workers.
    pub fn controller(&self) -> Result<Controller<'a>, ExploreError> {
        self.controller_of(0)
    }

    /// The controller of the workers of one explorer.
    pub(super) fn controller_of(&self, explorer: usize) -> Result<Controller<'a>, ExploreError> {
        Controller::check_system()?;
        let has_leases = self.server.is_some_and(Server::has_leases);
        if self.scenario == Scenario::Expire && !has_leases {
            return Err(ExploreError::NoLeases);
        }
        if !SUPPORTED {
            let architecture = std::env::consts::ARCH;
            return Err(ExploreError::Processor { architecture });
        }
        let (base, name) = self.place(explorer);
        let spawner =
            WorkerSpawner::new(self.lock, base, name, 1, self.seed)?.stop_when(self.interrupted);
        Controller::new(spawner, explorer, self.server).map_err(ExploreError::Directory)
    }

    /// The directory of an explorer, and the name of its lock: a lock that lies elsewhere may be known
    /// by its name alone.
    fn place(&self, explorer: usize) -> (PathBuf, String) {
        let name = format!("lock-{:x}-{}", self.seed & 0xffff, self.scenario.word());
        match explorer {
            0 => (self.base.clone(), name),
            _ => (
                self.base.join(explorer.to_string()),
                format!("{name}-{explorer}"),
            ),
        }
    }

    /// A message of a worker of the explorer with this server, with the names that the first explorer
    /// would use. This is the search of the first one.
    pub(super) fn as_by_the_first(
        &self,
        explorer: usize,
        server: Option<&Server>,
        message: &str,
    ) -> String {
        let ((base, name), (first_base, first_name)) = (self.place(explorer), self.place(0));
        let text = |path: PathBuf| path.to_string_lossy().into_owned();
        let message = message
            .replace(&text(base), &text(first_base))
            .replace(&name, &first_name);
        match (server, self.server) {
            (Some(server), Some(first)) => message.replace(server.address(), first.address()),
            _ => message,
        }
    }

    /// Returns `true` if the scheduler may kill workers.
    pub(super) fn has_crashes(&self) -> bool {
        matches!(self.scenario, Scenario::Crash | Scenario::WrapperKill)
    }

    pub(super) fn config(&self, patient: bool) -> RunConfig {
        RunConfig {
            scenario: self.scenario,
            workers: self.workers,
            rounds: self.rounds,
            lease: self.lease,
            patient,
            settle_time: self.settle_time,
            faults: match self.scenario {
                Scenario::Expire => EXPIRIES,
                _ => self.crashes,
            },
            observes: false,
        }
    }

    /// Makes only these moves, once. If `patient`, checks in real time whether workers that poll
    /// in vain get the lock.
    pub(crate) fn only(&self, moves: &[Move], patient: bool) -> Result<Found, ExploreError> {
        let began = Instant::now();
        let mut controller = self.controller()?;
        let trace = self.follow(&mut controller, moves, patient)?;
        let mut found = Found::nothing(self.scenario, self.workers);
        found.schedules = 1;
        found.seconds = began.elapsed().as_secs_f64();
        let mut errors = Quotes::default();
        for error in &trace.errors {
            errors.add(error);
        }
        found.errors = errors.all();
        match &trace.end {
            End::Overlap { .. } | End::FenceBroken(_) | End::Stuck(_) => {
                found.replayed = (1, 1);
                found.counterexample = Some(trace);
            }
            End::Failed(why) => found.problem = Some(why.to_string()),
            End::Polls(_) => found.polls = 1,
            End::LeaseExpired => found.expiries = 1,
            End::Clean | End::Known | End::Interrupted => {}
        }
        Ok(found)
    }

    /// Makes these moves once. If `patient`, checks in real time whether workers that poll in vain
    /// get the lock.
    ///
    /// # Errors
    /// Returns an error if the workers cannot be started or traced.
    pub fn follow(
        &self,
        controller: &mut Controller<'_>,
        moves: &[Move],
        patient: bool,
    ) -> Result<Trace, ExploreError> {
        let config = RunConfig {
            faults: faults(moves),
            ..self.config(patient)
        };
        run(controller, &config, &mut Replay::new(moves))
    }

    /// Makes these moves once and records the state after each step.
    pub(super) fn observe(
        &self,
        controller: &mut Controller<'_>,
        moves: &[Move],
    ) -> Result<Trace, ExploreError> {
        let config = RunConfig {
            faults: faults(moves),
            observes: true,
            ..self.config(false)
        };
        run(controller, &config, &mut Replay::new(moves))
    }
}

/// Returns `true` if both ends are of the same kind.
pub(super) fn same_end(one: &End, other: &End) -> bool {
    std::mem::discriminant(one) == std::mem::discriminant(other)
}
