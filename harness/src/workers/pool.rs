//! The worker processes of one scenario, and spares that replace those that end.

use std::time::{Duration, Instant};

use super::error::WorkerError;
use super::spawner::START_UP;
use super::worker::WorkerProcess;
use crate::model::FaultKind;
use crate::protocol::{Line, Verb};
use crate::sys::program;

pub use super::spawner::{
    Ready, WorkerSpawner, answer_of, answers_of, in_background, stderr_of, wait_for,
};

/// Maximum number of spares that start at once.
const STARTING: usize = 2;

/// The state of a slot. Times are nanoseconds since the scenario began.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum State {
    /// Sends its next request at this time.
    Idle { until: u64 },
    /// Waits for the answer to a request.
    Asked { verb: Verb, at: u64 },
    /// Holds the lock and releases it at this time.
    Inside { until: u64 },
    /// Holds the lock and performs a verb there.
    Executing { verb: Verb, at: u64 },
    /// Waits for the answer to `release`.
    Releasing { at: u64 },
    /// Waits for the answer to `remove`.
    Removing { at: u64 },
}

impl State {
    /// The verb without an answer yet, and when it was sent.
    pub fn pending(&self) -> Option<(Verb, u64)> {
        match *self {
            State::Asked { verb, at } | State::Executing { verb, at } => Some((verb, at)),
            State::Releasing { at } => Some((Verb::Release, at)),
            State::Removing { at } => Some((Verb::Remove, at)),
            State::Idle { .. } | State::Inside { .. } => None,
        }
    }

    /// Returns `true` if it waits for the lock without a time limit.
    pub fn waits(&self) -> bool {
        matches!(
            self,
            State::Asked {
                verb: Verb::Acquire | Verb::Read,
                ..
            }
        )
    }
}

#[derive(Clone, Copy, Debug)]
pub struct Slot {
    pub state: State,
    /// Fault to inject during this hold, or after it.
    pub fault: Option<FaultKind>,
    /// Number of sections of all slots at the time of the request.
    pub sections_before: u64,
    /// `true` if the machine was suspended after the request.
    pub stalled: bool,
    /// `true` if no other slot can have held the lock since the request.
    pub uncontended: bool,
    /// Time of the last acquisition.
    pub entered: u64,
}

/// A worker number, under which one process runs after the other.
#[derive(Debug)]
pub struct WorkerSlot {
    pub process: Option<WorkerProcess>,
    pub life: u32,
    pub slots: Vec<Slot>,
    /// End of a pause.
    pub stopped_until: Option<u64>,
    /// Time of its SIGKILL.
    pub killed_at: Option<u64>,
    /// Deadline for its exit.
    pub leaves_by: Option<u64>,
    /// Lines that were not of the protocol since the last one that was.
    pub garbage: u64,
    spare: Option<Spare>,
}

#[derive(Debug)]
struct Spare {
    process: WorkerProcess,
    ready: bool,
    since: Instant,
}

impl WorkerSlot {
    fn new(slots: usize) -> Self {
        let slot = Slot {
            state: State::Idle { until: 0 },
            fault: None,
            sections_before: 0,
            stalled: false,
            uncontended: false,
            entered: 0,
        };
        WorkerSlot {
            process: None,
            life: 0,
            slots: vec![slot; slots],
            stopped_until: None,
            killed_at: None,
            leaves_by: None,
            garbage: 0,
            spare: None,
        }
    }

    /// Returns `true` if a ready spare can replace the process.
    pub fn has_spare(&self) -> bool {
        self.spare.as_ref().is_some_and(|spare| spare.ready)
    }
}

/// The workers of one scenario.
#[derive(Debug)]
pub struct WorkerPool<'a> {
    pub spawner: WorkerSpawner<'a>,
    pub workers: Vec<WorkerSlot>,
    /// Number of workers that have a spare.
    spares: usize,
    failed_starts: u32,
}

impl<'a> WorkerPool<'a> {
    /// Starts all workers and spares, and waits until they are ready.
    pub fn gather(
        spawner: WorkerSpawner<'a>,
        processes: usize,
        spares: usize,
    ) -> Result<Self, WorkerError> {
        let slots = spawner.threads;
        let mut pool = WorkerPool {
            spawner,
            workers: (0..processes).map(|_| WorkerSlot::new(slots)).collect(),
            spares,
            failed_starts: 0,
        };
        let started: Vec<WorkerProcess> = (0..processes)
            .map(|number| pool.spawner.start(number))
            .collect::<Result<_, _>>()?;
        for (number, process) in started.into_iter().enumerate() {
            pool.workers[number].process = Some(pool.spawner.until_ready(process)?.0);
        }
        let standing_by: Vec<WorkerProcess> = (0..spares)
            .map(|number| pool.spawner.start(number))
            .collect::<Result<_, _>>()?;
        for (number, process) in standing_by.into_iter().enumerate() {
            let process = pool.spawner.until_ready(process)?.0;
            pool.workers[number].spare = Some(Spare {
                process,
                ready: true,
                since: Instant::now(),
            });
        }
        Ok(pool)
    }

    /// Replaces workers that ended and starts new spares. Returns an error if workers no longer
    /// start.
    pub fn replenish(&mut self, now: u64) -> Result<(), WorkerError> {
        let mut starting = self
            .workers
            .iter()
            .filter(|worker_slot| worker_slot.spare.as_ref().is_some_and(|s| !s.ready))
            .count();
        for (number, worker_slot) in self.workers.iter_mut().enumerate() {
            if worker_slot.process.is_none() && worker_slot.has_spare() {
                worker_slot.process = worker_slot.spare.take().map(|spare| spare.process);
                worker_slot.life += 1;
                for slot in &mut worker_slot.slots {
                    slot.state = State::Idle { until: now };
                }
            }
            if let Some(spare) = &mut worker_slot.spare {
                let mut lines = Vec::new();
                let open = spare.process.lines(&mut lines);
                spare.ready |= lines.iter().any(|line| matches!(line, Line::Ready(..)));
                let dead = !open && spare.process.ended().is_some();
                if dead || (!spare.ready && spare.since.elapsed() > START_UP) {
                    self.failed_starts += 1;
                    let stderr = stderr_of(&mut spare.process);
                    worker_slot.spare = None;
                    if self.failed_starts >= 10 {
                        return Err(WorkerError::ManyNotReady { stderr });
                    }
                }
            }
            let wanted = number < self.spares || worker_slot.process.is_none();
            if wanted && worker_slot.spare.is_none() && starting < STARTING {
                let process = self.spawner.start(number)?;
                worker_slot.spare = Some(Spare {
                    process,
                    ready: false,
                    since: Instant::now(),
                });
                starting += 1;
            }
        }
        Ok(())
    }

    /// Reaps orphans of workers, which became children of this process.
    pub fn reap_orphans(&self) {
        program::reap_orphans(self.processes().map(WorkerProcess::program));
    }

    /// All slots of all workers.
    pub fn slots(&self) -> impl Iterator<Item = &Slot> {
        self.workers.iter().flat_map(|worker| &worker.slots)
    }

    /// All slots of all workers.
    pub fn slots_mut(&mut self) -> impl Iterator<Item = &mut Slot> {
        self.workers.iter_mut().flat_map(|worker| &mut worker.slots)
    }

    fn processes(&self) -> impl Iterator<Item = &WorkerProcess> {
        self.workers.iter().flat_map(|worker_slot| {
            let spare = worker_slot.spare.as_ref().map(|spare| &spare.process);
            worker_slot.process.iter().chain(spare)
        })
    }

    /// Waits until workers have written or ended, or the time has passed. Returns their numbers.
    pub fn wait(&self, timeout: Duration) -> Vec<usize> {
        let programs = self.workers.iter().enumerate().flat_map(|(number, slot)| {
            let spare = slot.spare.as_ref().map(|spare| &spare.process);
            let processes = slot.process.iter().chain(spare);
            processes.map(move |process| (number, process.program()))
        });
        program::wait(programs, timeout)
    }

    /// Ends the input of all workers, kills those that do not exit, and returns their number.
    pub fn dismiss(self) -> usize {
        const GRACE: Duration = Duration::from_secs(3);
        // Spares have never held the lock, and may not have started yet.
        let mut left: Vec<WorkerProcess> = self
            .workers
            .into_iter()
            .filter_map(|worker_slot| worker_slot.process)
            .collect();
        left.iter_mut().for_each(WorkerProcess::end_input);
        let deadline = Instant::now() + GRACE;
        while !left.is_empty() && Instant::now() < deadline {
            left.retain_mut(|process| {
                process.lines(&mut Vec::new());
                process.ended().is_none()
            });
            if let Some(process) = left.first() {
                wait_for(process, Duration::from_millis(20));
            }
        }
        left.len()
    }
}
