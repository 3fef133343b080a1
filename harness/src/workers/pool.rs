//! The workers of one scenario: who works where, and who stands by to take the place of one that goes.

use std::time::{Duration, Instant};

use nix::poll::{PollFd, PollFlags};
use nix::sys::wait::{Id, WaitPidFlag, waitid, waitpid};

use super::spawner::START_UP;
use super::worker::WorkerProcess;
use crate::model::FaultKind;
use crate::protocol::{Line, Verb};

pub use super::spawner::{
    Ready, WorkerSpawner, answer_of, answers_of, in_background, stderr_of, wait_for,
};

/// How many may be starting at once besides those that work.
const STARTING: usize = 2;

/// What a slot is at. Times are nanoseconds since the scenario began.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum State {
    /// It asks at this time.
    Idle { until: u64 },
    /// It has asked.
    Asked { verb: Verb, at: u64 },
    /// It is in the section, and leaves at this time.
    Inside { until: u64 },
    /// It is in the section and does something there.
    Telling { verb: Verb, at: u64 },
    /// It was told to release.
    Releasing { at: u64 },
    /// It was told to remove the lock.
    Removing { at: u64 },
}

impl State {
    /// What it was told and has not answered, and since when.
    pub fn pending(&self) -> Option<(Verb, u64)> {
        match *self {
            State::Asked { verb, at } | State::Telling { verb, at } => Some((verb, at)),
            State::Releasing { at } => Some((Verb::Release, at)),
            State::Removing { at } => Some((Verb::Remove, at)),
            State::Idle { .. } | State::Inside { .. } => None,
        }
    }

    /// Whether it waits for the lock, however long it takes.
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
    /// What is to happen in this section, or after it.
    pub act: Option<FaultKind>,
    /// Sections of all when it asked.
    pub seen: u64,
    /// The machine stood still after it had asked.
    pub stalled: bool,
    /// Since it asked nobody else can have held the lock.
    pub alone: bool,
    /// When it came in last.
    pub entered: u64,
}

/// A place in which one worker after the other works.
#[derive(Debug)]
pub struct WorkerSlot {
    pub process: Option<WorkerProcess>,
    pub life: u32,
    pub slots: Vec<Slot>,
    /// Stopped until then.
    pub stopped_until: Option<u64>,
    /// To be killed then.
    pub killed_at: Option<u64>,
    /// It was told to leave, and has until then.
    pub leaves_by: Option<u64>,
    /// Lines since the last one that was of the protocol.
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
            act: None,
            seen: 0,
            stalled: false,
            alone: false,
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

    /// Whether another could take its place at once.
    pub fn has_spare(&self) -> bool {
        self.spare.as_ref().is_some_and(|spare| spare.ready)
    }
}

/// All of them.
#[derive(Debug)]
pub struct WorkerPool<'a> {
    pub spawner: WorkerSpawner<'a>,
    pub workers: Vec<WorkerSlot>,
    /// For so many of the places somebody stands by.
    spares: usize,
    failed_starts: u32,
}

impl<'a> WorkerPool<'a> {
    /// Starts everybody and waits until all are ready.
    pub fn gather(
        spawner: WorkerSpawner<'a>,
        processes: usize,
        spares: usize,
    ) -> Result<Self, String> {
        let slots = spawner.threads;
        let mut pool = WorkerPool {
            spawner,
            workers: (0..processes).map(|_| WorkerSlot::new(slots)).collect(),
            spares,
            failed_starts: 0,
        };
        let problem = |error| format!("a worker cannot be started: {error}");
        let started: Vec<WorkerProcess> = (0..processes)
            .map(|number| pool.spawner.start(number).map_err(problem))
            .collect::<Result<_, _>>()?;
        for (number, process) in started.into_iter().enumerate() {
            pool.workers[number].process = Some(pool.spawner.until_ready(process)?.0);
        }
        let standing_by: Vec<WorkerProcess> = (0..spares)
            .map(|number| pool.spawner.start(number).map_err(problem))
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

    /// Fills empty places and looks after those that stand by. Says why if workers do not start any more.
    pub fn replenish(&mut self, now: u64) -> Result<(), String> {
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
                    let why = stderr_of(&mut spare.process);
                    worker_slot.spare = None;
                    if self.failed_starts >= 10 {
                        return Err(format!("10 workers did not start{why}"));
                    }
                }
            }
            let wanted = number < self.spares || worker_slot.process.is_none();
            if wanted && worker_slot.spare.is_none() && starting < STARTING {
                let process = self
                    .spawner
                    .start(number)
                    .map_err(|error| format!("a worker cannot be started: {error}"))?;
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

    /// Takes the status of processes that workers had started, which became our children when the workers died.
    pub fn reap_orphans(&self) {
        let ours: Vec<_> = self.processes().map(WorkerProcess::pid).collect();
        let ended = WaitPidFlag::WEXITED | WaitPidFlag::WNOHANG | WaitPidFlag::WNOWAIT;
        while let Ok(status) = waitid(Id::All, ended)
            && let Some(pid) = status.pid()
            && !ours.contains(&pid)
            && waitpid(pid, Some(WaitPidFlag::WNOHANG)).is_ok()
        {}
    }

    fn processes(&self) -> impl Iterator<Item = &WorkerProcess> {
        self.workers.iter().flat_map(|worker_slot| {
            let spare = worker_slot.spare.as_ref().map(|spare| &spare.process);
            worker_slot.process.iter().chain(spare)
        })
    }

    /// Returns at `deadline`, or earlier if anybody has something to say; the numbers of those workers.
    pub fn wait(&self, timeout: Duration) -> Vec<usize> {
        let mut fds = Vec::with_capacity(self.workers.len() * 4);
        let mut owners = Vec::with_capacity(fds.capacity());
        for (number, worker_slot) in self.workers.iter().enumerate() {
            let spare = worker_slot.spare.as_ref().map(|spare| &spare.process);
            for fd in worker_slot
                .process
                .iter()
                .chain(spare)
                .flat_map(WorkerProcess::descriptors)
            {
                fds.push(PollFd::new(fd, PollFlags::POLLIN));
                owners.push(number);
            }
        }
        let timeout = nix::sys::time::TimeSpec::from_duration(timeout);
        // Interrupted or not: the loop looks at everything anew.
        let _ = nix::poll::ppoll(&mut fds, Some(timeout), None);
        let ready = |fd: &PollFd<'_>| fd.revents().is_some_and(|events| !events.is_empty());
        let mut numbers: Vec<usize> = fds
            .iter()
            .zip(owners)
            .filter(|(fd, _)| ready(fd))
            .map(|(_, owner)| owner)
            .collect();
        numbers.dedup();
        numbers
    }

    /// Lets everybody go; those that do not are killed, and counted.
    pub fn dismiss(self) -> usize {
        const GRACE: Duration = Duration::from_secs(3);
        // Those that stand by have held nothing, and may not have started yet.
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
