//! Searches for a schedule in which two workers are in the section at once.

use std::collections::HashSet;
use std::sync::atomic::AtomicBool;
use std::time::{Duration, Instant};

use crate::engines::Server;
use crate::stress::statistics::Quotes;
use crate::workers::LockUnderTest;
use crate::workers::pool::WorkerSpawner;

use super::arch::SUPPORTED;
use super::controller::Controller;
use super::counterexample::Counterexample;
use super::deaths;
use super::end::End;
use super::error::ExploreError;
use super::found::Found;
use super::moves::{Move, faults};
use super::run::{RunConfig, run};
use super::schedule::Step;
use super::strategy::{Choice, Replay};
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
    /// An empty directory.
    pub base: std::path::PathBuf,
    /// Real time for which a dead holder is left before the other workers begin. The search finds
    /// out whether this is needed.
    pub settle_time: Duration,
    /// The server that the workers use, if the user named one.
    pub server: Option<&'a Server>,
    /// Ends the search soon after it is set.
    pub interrupted: &'a AtomicBool,
}

/// Margin added to the settle time that a lock has been seen to need.
const MARGIN: Duration = Duration::from_millis(200);
/// The problem if no worker was seen to use the lock.
const UNSEEN: &str = "no call that touches the lock was seen: it lies elsewhere (LOCKUTILS_DIR \
                      names its directory), on a server or in memory, or processes other than \
                      the workers make its calls";
/// Maximum number of leases that run out in a schedule of the scenario `expire`.
const EXPIRIES: usize = 1;
/// Number of replays of a counterexample.
const REPLAYS: usize = 10;
/// Number of replays that are made however long they take.
const FEWEST_REPLAYS: usize = 3;
/// Time limit of the remaining replays.
const REPLAY_TIME: Duration = Duration::from_secs(6);

/// Makes this process the parent of processes whose own parents are killed in a search, so that it
/// can reap them. For a program that does nothing else.
pub fn adopt_orphans() {
    crate::sys::program::adopt_orphans();
}

/// The progress of a search.
#[derive(Clone, Copy, Debug)]
pub struct Progress {
    /// Number of schedules that were run.
    pub schedules: usize,
    /// Time since the search began.
    pub elapsed: Duration,
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
        Controller::check_system()?;
        let has_leases = self.server.is_some_and(Server::has_leases);
        if self.scenario == Scenario::Expire && !has_leases {
            return Err(ExploreError::NoLeases);
        }
        if !SUPPORTED {
            let architecture = std::env::consts::ARCH;
            return Err(ExploreError::Processor { architecture });
        }
        let name = format!("lock-{:x}-{}", self.seed & 0xffff, self.scenario.word());
        let spawner = WorkerSpawner::new(self.lock, self.base.clone(), name, 1, self.seed)?
            .stop_when(self.interrupted);
        Controller::new(spawner, self.server).map_err(ExploreError::Directory)
    }

    /// Returns `true` if the scheduler may kill workers.
    fn has_crashes(&self) -> bool {
        matches!(self.scenario, Scenario::Crash | Scenario::WrapperKill)
    }

    fn config(&self, patient: bool) -> RunConfig {
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
        }
    }

    /// Runs schedules until one breaks the lock or the budget is spent.
    ///
    /// # Errors
    /// Returns an error if the workers cannot be started or traced.
    pub fn search(
        &mut self,
        budget: &Budget,
        progress: &mut dyn FnMut(Progress),
    ) -> Result<Found, ExploreError> {
        let began = Instant::now();
        let mut controller = self.controller()?;
        let mut found = Found::nothing(self.scenario, self.workers);
        let mut errors = Quotes::default();
        let mut strategy = self.strategy.strategy(self.seed);
        // Kinds of deaths after which all waiters polled and then got the lock in real time.
        let mut asked = HashSet::new();
        // Set once a worker has touched the lock.
        let mut seen = false;
        while found.schedules < budget.schedules && began.elapsed() < budget.time {
            let mut so_far = Progress {
                schedules: found.schedules,
                elapsed: began.elapsed(),
                shrinks: false,
            };
            progress(so_far);
            let Some(mut scheduler) = strategy.next() else {
                break;
            };
            // One check in real time is enough.
            let config = self.config(found.polls == 0 && !self.has_crashes());
            let trace = run(&mut controller, &config, scheduler.as_mut())?;
            if trace.end == End::Interrupted {
                break;
            }
            strategy.learn(&trace.steps);
            let by_a_worker = |step: &Step| step.actor < self.workers && step.touches_the_lock();
            seen = seen || trace.steps.iter().any(by_a_worker);
            if trace.end == End::Known {
                found.known += 1;
                continue;
            }
            found.schedules += 1;
            if self.has_crashes() {
                *found.crashes.get_or_insert(0) += usize::from(trace.has_fault());
            }
            for error in &trace.errors {
                errors.add(error);
            }
            match &trace.end {
                End::Polls(None) if trace.has_fault() => {
                    // Deaths of one kind lead to the same state.
                    if !asked.insert(deaths::kinds(&trace)) {
                        found.recoveries += 1;
                        continue;
                    }
                    so_far.shrinks = true;
                    progress(so_far);
                    let short = self.shrink(&mut controller, trace)?;
                    let replayed = self.replay(&mut controller, &short)?;
                    let checked = self.follow(&mut controller, &short.moves(), true)?;
                    match &checked.end {
                        End::Stuck(_) => {
                            found.counterexample = Some(checked);
                            found.replayed = replayed;
                            break;
                        }
                        End::Polls(Some(_)) => found.recoveries += 1,
                        End::Interrupted => break,
                        End::Failed(why) => drop(found.problem.get_or_insert(why.to_string())),
                        _ => found.polls += 1,
                    }
                }
                End::Clean | End::Known | End::Interrupted => {}
                End::Polls(got_after) => {
                    found.polls += 1;
                    if let Some(after) = got_after
                        && self.scenario == Scenario::Die
                        && found.polls == found.schedules
                    {
                        // No worker gets the lock without it: the lock checks a time that cannot be
                        // set back, such as st_ctime (inode(7)).
                        self.settle_time = *after + MARGIN;
                        // So far it has only learned how all workers poll in vain.
                        strategy = self.strategy.strategy(self.seed);
                    }
                }
                End::LeaseExpired => found.expiries += 1,
                End::Failed(why) => drop(found.problem.get_or_insert(why.to_string())),
                // Whatever the workers wait for is not scheduled.
                End::Stuck(_) if !seen => break,
                // No replay: it takes long, and does not depend on the scheduler.
                End::Stuck(_) if trace.looked_in_real_time() => {
                    found.counterexample = Some(trace);
                    found.replayed = (1, 1);
                    break;
                }
                End::Overlap { .. } | End::Stuck(_) => {
                    so_far.shrinks = true;
                    progress(so_far);
                    let short = self.shrink(&mut controller, trace)?;
                    let (same, runs) = self.replay(&mut controller, &short)?;
                    if matches!(short.end, End::Stuck(_)) && same < runs {
                        // A worker that gets stuck only in some replays may have been slow.
                        found.problem.get_or_insert_with(|| {
                            format!(
                                "{}, but in {same} of {runs} runs only",
                                super::story::ending(&short)
                            )
                        });
                        continue;
                    }
                    found.replayed = (same, runs);
                    found.counterexample = Some(short);
                    break;
                }
            }
        }
        if !seen && found.schedules > 0 && found.counterexample.is_none() {
            found.problem.get_or_insert_with(|| UNSEEN.to_owned());
        }
        found.errors = errors.all();
        found.complete = strategy.complete();
        found.settle_time = self.settle_time;
        found.interrupted = controller.is_interrupted();
        found.seconds = began.elapsed().as_secs_f64();
        Ok(found)
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
            End::Overlap { .. } | End::Stuck(_) => {
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

    /// Replays a counterexample. Returns the number of runs with the same steps and end, and the
    /// number of all runs.
    fn replay(
        &self,
        controller: &mut Controller<'_>,
        trace: &Trace,
    ) -> Result<(usize, usize), ExploreError> {
        let moves = trace.moves();
        let mut same = 0;
        let began = Instant::now();
        for run in 0..REPLAYS {
            if run >= FEWEST_REPLAYS && began.elapsed() > REPLAY_TIME {
                return Ok((same, run));
            }
            let again = self.follow(controller, &moves, false)?;
            if again.end == End::Interrupted {
                return Ok((same, run));
            }
            same += usize::from(same_end(&again.end, &trace.end) && again.moves() == moves);
        }
        Ok((same, REPLAYS))
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
}

/// Returns `true` if both ends are of the same kind.
pub(super) fn same_end(one: &End, other: &End) -> bool {
    std::mem::discriminant(one) == std::mem::discriminant(other)
}
