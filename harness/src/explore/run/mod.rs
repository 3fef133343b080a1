//! Runs one schedule from beginning to end.

mod answers;
mod candidates;
mod expiry;
mod faults;
mod leases;
mod script;
mod scripted_worker;
mod snapshots;
mod step;

use std::collections::HashMap;
use std::time::{Duration, Instant};

use leases::Leases;
use script::script;
use scripted_worker::ScriptedWorker;

use crate::model::{Scenario, Snapshot, Verb};
use crate::protocol::{Answer, excerpt};
use crate::stress::judge::Fence;

use super::controller::{Controller, HANGS, WorkerState};
use super::end::{End, FailureReason, StuckReason};
use super::error::ExploreError;
pub use super::run_config::RunConfig;
use super::schedule::{Readiness, Step};
use super::strategy::{Scheduler, View};
use super::syscalls::{Call, Effect, Operation};
use super::trace::Trace;

/// Maximum number of steps of a schedule. A longer one does not end by itself.
const MOST_STEPS: usize = 3_000;
/// Maximum duration of a schedule.
const MOST_TIME: Duration = Duration::from_secs(20);
/// Number of steps per worker without any progress after which all are considered to poll.
const NO_PROGRESS: usize = 400;
/// Number of rounds per worker in which all sleep and check again while nothing changes.
const IDLE_ROUNDS: usize = 10;
/// Maximum wait for something unwatched, such as a server.
const ELSEWHERE: Duration = Duration::from_secs(3);
/// The same if a wait ends by itself.
const MOST_WAIT: Duration = Duration::from_secs(12);
/// Real time after which a worker without the lock will not get it.
const IN_REAL_TIME: Duration = Duration::from_secs(12);
/// Real time beyond its lease after which a lock is not freed any more.
const AFTER_LEASE: Duration = Duration::from_secs(2);
/// Maximum real time for the question whether a lock is stuck after a crash.
const LONGEST_CHECK: Duration = Duration::from_secs(62);
/// The age that a dead holder's files are given, as far as times can be set back.
const DEAD_FOR: Duration = Duration::from_secs(3600);

/// Runs one schedule.
pub fn run(
    controller: &mut Controller<'_>,
    config: &RunConfig,
    scheduler: &mut dyn Scheduler,
) -> Result<Trace, ExploreError> {
    if let Err(error) = set_up(controller, config) {
        return match controller.is_interrupted() {
            true => Ok(Trace {
                end: End::Interrupted,
                steps: Vec::new(),
                errors: Vec::new(),
                snapshots: Vec::new(),
            }),
            false => Err(error),
        };
    }
    controller.identifies_files = scheduler.identifies_files();
    let script = script(config.scenario, config.rounds);
    let workers = (0..config.workers)
        .map(|_| ScriptedWorker::new(script.iter().copied().collect()))
        .collect();
    let mut run = Run {
        controller,
        workers,
        steps: Vec::new(),
        errors: Vec::new(),
        config: *config,
        set_up_at: Instant::now(),
        last_progress: 0,
        fingerprint: Vec::new(),
        changed_at: 0,
        idle_rounds: 0,
        deletes_files: config.scenario == Scenario::Unlink,
        faults_made: 0,
        leases: Leases::default(),
        fence: Fence::new(),
        has_expired: false,
        changers: HashMap::new(),
        is_aged: false,
        snapshots: Vec::new(),
    };
    let end = run.play(scheduler);
    run.observe();
    let end = match end {
        // An interruption cuts waits short.
        End::Failed(_) | End::Stuck(_) | End::Polls(_) if run.controller.is_interrupted() => {
            End::Interrupted
        }
        End::Clean if run.has_expired => End::LeaseExpired,
        end => end,
    };
    Ok(Trace {
        end,
        steps: run.steps,
        errors: run.errors,
        snapshots: run.snapshots,
    })
}

/// Starts fresh workers, and injects the faults that precede the schedule.
fn set_up(controller: &mut Controller<'_>, config: &RunConfig) -> Result<(), ExploreError> {
    if config.scenario != Scenario::Die {
        return controller.set_up(config.workers);
    }
    let victim = config.workers;
    controller.set_up(config.workers + 1)?;
    match controller.run_command(victim, Verb::Acquire)? {
        Answer::Acquired(_) => {}
        other => return Err(ExploreError::FirstWorker(other)),
    }
    controller.end(&[victim]);
    controller.expire_all()?;
    controller.age_files(DEAD_FOR + config.lease.unwrap_or_default());
    controller.pause(config.settle_time);
    Ok(())
}

struct Run<'a, 'b> {
    controller: &'a mut Controller<'b>,
    workers: Vec<ScriptedWorker>,
    steps: Vec<Step>,
    errors: Vec<String>,
    config: RunConfig,
    set_up_at: Instant,
    last_progress: usize,
    /// Name, inode and size of each file in the directory after the last step.
    fingerprint: Vec<(String, u64, u64)>,
    /// The last step that changed anything for other workers.
    changed_at: usize,
    idle_rounds: usize,
    /// Set until the files are deleted by the outsider, an actor that is not a worker.
    deletes_files: bool,
    /// Number of faults that the scheduler has chosen.
    faults_made: usize,
    leases: Leases,
    /// The fencing tokens so far.
    fence: Fence<usize>,
    /// Set if two workers were in the section, one of them after the end of its lease.
    has_expired: bool,
    /// The actor that last changed each file, by name.
    changers: HashMap<String, usize>,
    /// Set once the files of the dead have been made old, until the next fault.
    is_aged: bool,
    /// The states before the first step and after each, if they are recorded.
    snapshots: Vec<Snapshot>,
}

impl Run<'_, '_> {
    fn play(&mut self, scheduler: &mut dyn Scheduler) -> End {
        let began = Instant::now();
        loop {
            if self.controller.is_interrupted() {
                return End::Interrupted;
            }
            if began.elapsed() > MOST_TIME {
                return End::Failed(FailureReason::TooSlow { limit: MOST_TIME });
            }
            self.controller.catch_up();
            if let Some(end) = self.learn_from_others() {
                return end;
            }
            if let Some(end) = self.handle_answers() {
                return end;
            }
            self.observe();
            if let Some(worker) = self.computing() {
                return End::Failed(FailureReason::Computes {
                    worker,
                    time: HANGS,
                });
            }
            let candidates = self.candidates();
            if candidates.is_empty() {
                if let Some(end) = self.no_actor_can_go_on() {
                    return end;
                }
                continue;
            }
            if self.steps.len() - self.last_progress > NO_PROGRESS * self.workers.len() {
                // While a worker is in the section, the others wait for good reason.
                if self.workers.iter().any(|worker| worker.inside.is_some()) {
                    return End::Failed(FailureReason::NoProgress);
                }
                match self.polls() {
                    Some(end) => return end,
                    None => continue,
                }
            }
            if self.steps.len() > MOST_STEPS {
                return End::Failed(FailureReason::TooLong { limit: MOST_STEPS });
            }
            if candidates.iter().all(|candidate| {
                candidate.readiness == Readiness::Yielded
                    && !self.workers[candidate.actor].takes_long()
            }) {
                self.idle_rounds += 1;
                if self.idle_rounds > IDLE_ROUNDS * self.workers.len()
                    && let Some(end) = self.polls()
                {
                    return end;
                }
            }
            let faults = self.faults();
            let view = View {
                candidates: &candidates,
                faults: &faults,
                last: self.steps.last().map(|step| step.actor),
                steps: &self.steps,
            };
            let Some(made) = scheduler.choose(&view) else {
                return End::Known;
            };
            let end = self.make(made, candidates, faults);
            let end = end.or_else(|| self.handle_answers());
            self.observe();
            if let Some(end) = end {
                return end;
            }
        }
    }

    /// The end if all waiting workers poll and none is in the section; `None` if they have not seen
    /// the files of the dead grow old yet.
    fn polls(&mut self) -> Option<End> {
        if let Some(dead) = self.dead_owner() {
            return self.expire(dead, Vec::new(), Vec::new());
        }
        if let Some(worker) = self.orphaned() {
            return Some(End::Failed(FailureReason::Orphaned { worker }));
        }
        let lease = self.config.lease;
        let crashed = self.faults_made > 0;
        if crashed && lease.is_some() && !self.is_aged {
            self.age_files_of_the_dead();
            return None;
        }
        if !self.config.patient {
            return Some(End::Polls(None));
        }
        let mut waited = IN_REAL_TIME;
        if crashed {
            // It may be free after its lease, or once the files are old. Otherwise it is stuck.
            waited = waited.max(lease.unwrap_or_default() + AFTER_LEASE);
            if waited > LONGEST_CHECK {
                return Some(End::Failed(FailureReason::LongLease {
                    limit: LONGEST_CHECK - AFTER_LEASE,
                }));
            }
            self.age_files_of_the_dead();
        }
        if self.controller.run_unscheduled(waited) {
            return Some(End::Polls(Some(self.set_up_at.elapsed())));
        }
        Some(End::Stuck(StuckReason::InRealTime { waited }))
    }

    /// The number of the outsider.
    fn outsider(&self) -> usize {
        self.workers.len()
    }

    fn computing(&self) -> Option<usize> {
        let mut workers = self.controller.workers.iter();
        workers.position(|worker| worker.state == WorkerState::Computing)
    }

    /// The end if no actor can take a step; `None` if one can after all.
    fn no_actor_can_go_on(&mut self) -> Option<End> {
        let unfinished: Vec<usize> = (0..self.workers.len())
            .filter(|&number| {
                self.controller.workers[number].command.is_some()
                    || !self.workers[number].script.is_empty()
            })
            .collect();
        if unfinished.is_empty() {
            return Some(End::Clean);
        }
        if self.controller.wait_elsewhere(ELSEWHERE, MOST_WAIT) {
            return None;
        }
        if let Some(dead) = self.dead_owner() {
            return self.expire(dead, Vec::new(), Vec::new());
        }
        if let Some(worker) = self.orphaned() {
            return Some(End::Failed(FailureReason::Orphaned { worker }));
        }
        // After a crash, what waits outside the scheduler may still learn of it in time.
        let may_learn = self.faults_made > 0
            && unfinished.iter().any(|&worker| {
                self.controller.workers[worker].state == WorkerState::WaitingElsewhere
            });
        if self.controller.is_timed() || may_learn {
            return self.polls();
        }
        let garbage = unfinished.iter().find_map(|&worker| {
            let line = self.controller.workers[worker].garbage.as_ref()?;
            let line = excerpt(line);
            Some(FailureReason::NotOfTheProtocol { worker, line })
        });
        if let Some(reason) = garbage {
            return Some(End::Failed(reason));
        }
        let workers = unfinished;
        Some(End::Stuck(StuckReason::ForEver { workers }))
    }
}

/// The step of the outsider.
fn deletion() -> Call {
    Call::from_outside(Operation::Unlink, Effect::Claim, "everything")
}
