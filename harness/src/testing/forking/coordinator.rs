//! Forks the worker processes of a run, and sees them all to their end.

use std::fmt;
use std::io;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::Ordering;
use std::thread;
use std::time::{Duration, Instant};

use nix::sys::prctl::set_pdeathsig;
use nix::sys::signal::{Signal, kill};
use nix::sys::wait::{WaitPidFlag, WaitStatus, waitpid};
use nix::unistd::{ForkResult, Pid, fork, getppid};

use oslo_concurrency::lockutils::{self, scope::LockPathScope};

use super::stacks;
use crate::testing::witness::Witness;

/// How a worker process ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// It did all that it was to do.
    Done,
    /// A panic in the body.
    Panicked,
    /// It called exit in the body.
    Exited(i32),
    /// A signal ended it.
    Killed(i32),
    /// It was stuck: it had not ended at the deadline, or no worker did anything for too long. It was killed.
    Hung,
    /// It was never started.
    NotStarted,
}

const DONE: i32 = 0;
/// As a Rust program whose main thread panics.
const PANICKED: i32 = 101;
const HUNG: u64 = 1 << 32;
const ENDED: u64 = 1 << 33;

impl Outcome {
    pub(crate) fn of(word: u64) -> Self {
        let status = word as u32 as i32;
        match word {
            0 => Outcome::NotStarted,
            word if word & HUNG != 0 => Outcome::Hung,
            _ if status == DONE => Outcome::Done,
            _ if status == PANICKED => Outcome::Panicked,
            _ if status >= 256 => Outcome::Killed(status - 256),
            _ => Outcome::Exited(status),
        }
    }
}

impl fmt::Display for Outcome {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Outcome::Done => f.write_str("did all its sections"),
            Outcome::Panicked => f.write_str("panicked"),
            Outcome::Exited(status) => write!(f, "called exit({status}) in its body"),
            Outcome::Killed(signal) => match Signal::try_from(*signal) {
                Ok(signal) => write!(f, "was ended by {signal}"),
                Err(_) => write!(f, "was ended by signal {signal}"),
            },
            Outcome::Hung => f.write_str("was stuck, and had to be killed"),
            Outcome::NotStarted => f.write_str("was not started"),
        }
    }
}

/// What a run does.
pub(crate) struct Plan<'a> {
    pub(crate) witness: &'a Witness,
    pub(crate) deadline: Duration,
    /// When no worker has done anything for so long, those that are not outside are stuck.
    pub(crate) stuck_after: Duration,
    /// What each process does before its threads begin.
    pub(crate) prepare: &'a (dyn Fn() -> io::Result<()> + Sync),
    /// The work of one thread, by its number among all.
    pub(crate) work: &'a (dyn Fn(u32) + Sync),
    /// Threads of each process.
    pub(crate) threads: usize,
    /// Whether another process goes on where one was killed.
    pub(crate) replace_killed: bool,
    /// Looks, while all workers are outside, whether the lock is free; the processes, and what is wrong: a rule and a text.
    pub(crate) look: &'a (dyn Fn(&[Pid]) -> Option<Wrong> + Sync),
    /// Whether it asks the lock itself, so that the answer says something also of those who are stuck.
    pub(crate) look_asks: bool,
    /// What the workers do in turns, with a rest after each; without it they do as they like, and rest when all have done their calls.
    pub(crate) acts: Option<&'a dyn Acts>,
}

/// The name of a rule, and how it was broken.
pub(crate) type Wrong = (String, String);

/// What the workers of a run do in turns.
pub(crate) trait Acts: Sync {
    /// What follows on `act`, now that it has lasted so long; `None` if it is not over.
    fn after(&self, act: u64, lasted: Duration) -> Option<u64>;
}

/// The act in which the workers leave.
pub(crate) const END: u64 = u64::MAX;

/// For how long a process that stopped itself stays so.
const STOPPED_FOR: Duration = Duration::from_millis(2);
const TICK: Duration = Duration::from_micros(200);
/// More than this between two ticks is not held against a worker: the machine was asleep, or this process was.
const LONGEST_TICK: Duration = Duration::from_millis(50);
/// For how long those who are dismissed may take to leave.
const LEAVE_WITHIN: Duration = Duration::from_secs(3);
/// Those who are done wait no longer than this for the others to do anything: one may wait for the end of another's process.
const DONE_WAIT: Duration = Duration::from_millis(250);

/// The worker processes that have not ended, and what was seen of them.
struct Run<'a> {
    plan: &'a Plan<'a>,
    left: Vec<(usize, Pid)>,
    progress: u64,
    /// For how long nothing has changed.
    idle: Duration,
    deadline: Instant,
    act_began: Instant,
    act: u64,
    next: u64,
    dismissed: bool,
    /// Those who were stuck have been killed, and the others are told to leave.
    leaving: bool,
}

/// Forks the worker processes here, starts them together, and waits for their end. How each ended is in the witness afterwards.
pub(crate) fn run_here(plan: &Plan<'_>) -> io::Result<()> {
    let shape = plan.witness.shape();
    let parent = nix::unistd::getpid();
    let mut left: Vec<(usize, Pid)> = Vec::with_capacity(shape.processes);
    for process in 0..shape.processes {
        match start(plan, process, parent) {
            Ok(child) => left.push((process, child)),
            Err(error) => {
                for (_, child) in &left {
                    let _ = kill(*child, Signal::SIGKILL);
                    let _ = waitpid(*child, None);
                }
                return Err(error);
            }
        }
    }
    let deadline = Instant::now() + plan.deadline;
    while plan.witness.ready() < shape.workers() && Instant::now() < deadline {
        reap(plan.witness, &mut left);
        if left.len() < shape.processes {
            break; // one is dead before it began
        }
        thread::sleep(Duration::from_micros(50));
    }
    let mut run = Run {
        plan,
        left,
        progress: 0,
        idle: Duration::ZERO,
        deadline,
        act_began: Instant::now(),
        act: plan.witness.act(),
        next: END,
        dismissed: false,
        leaving: false,
    };
    plan.witness.start();
    while !run.left.is_empty() {
        let before = run.left.len();
        let killed = reap(plan.witness, &mut run.left);
        if plan.replace_killed {
            for process in killed {
                run.left.push((process, start(plan, process, parent)?));
            }
        }
        let progress = plan.witness.progress();
        if progress != run.progress || run.left.len() != before {
            run.idle = Duration::ZERO;
            run.progress = progress;
        }
        run.conduct();
        if run.idle >= plan.stuck_after || Instant::now() >= run.deadline {
            run.end_those_who_are_stuck();
        }
        let tick = Instant::now();
        thread::sleep(TICK);
        let took = tick.elapsed();
        plan.witness
            .was_late_by((took.saturating_sub(TICK)).as_nanos() as u64);
        run.idle += took.min(LONGEST_TICK);
    }
    Ok(())
}

impl Run<'_> {
    fn workers_of(&self, process: usize) -> std::ops::Range<u32> {
        let first = (process * self.plan.threads) as u32;
        first..first + self.plan.threads as u32
    }

    fn all(&self, is_so: impl Fn(u32) -> bool) -> bool {
        self.left
            .iter()
            .all(|(process, _)| self.workers_of(*process).all(&is_so))
    }

    /// Lets the workers rest, looks at the lock, and lets them go on.
    fn conduct(&mut self) {
        let witness = self.plan.witness;
        if self.dismissed || self.left.is_empty() {
            return;
        }
        if self.all(|worker| witness.has_done_all(worker)) {
            self.look();
            self.dismiss();
            return;
        }
        match self.plan.acts {
            None => {
                let some_are_done = self
                    .left
                    .iter()
                    .any(|(process, _)| self.workers_of(*process).any(|w| witness.has_done_all(w)));
                if some_are_done && self.idle > DONE_WAIT {
                    self.dismiss();
                }
            }
            Some(acts) if !witness.wants_rest() => {
                if let Some(next) = acts.after(self.act, self.act_began.elapsed()) {
                    self.next = next;
                    witness.set_rest(true, self.act);
                }
            }
            Some(_) if self.all(|worker| witness.is_outside(worker)) => {
                self.act = if self.look() { END } else { self.next };
                self.act_began = Instant::now();
                witness.set_rest(false, self.act);
            }
            Some(_) => {}
        }
    }

    /// Whether something is wrong with the lock.
    fn look(&self) -> bool {
        let processes: Vec<Pid> = self.left.iter().map(|(_, child)| *child).collect();
        let found = (self.plan.look)(&processes);
        if let Some((rule, text)) = &found {
            self.plan.witness.notes().add(rule, text);
        }
        found.is_some()
    }

    fn dismiss(&mut self) {
        self.plan.witness.dismiss();
        self.dismissed = true;
    }

    fn end_those_who_are_stuck(&mut self) {
        let witness = self.plan.witness;
        let now = crate::testing::witness::now();
        let refused = self.plan.look_asks && self.look();
        let is_free = self.plan.look_asks && !refused;
        let stuck = |workers: std::ops::Range<u32>| {
            let inside: Vec<u32> = workers.filter(|w| !witness.is_outside(*w)).collect();
            inside
        };
        for (process, child) in self.left.clone() {
            let inside = stuck(self.workers_of(process));
            if !inside.is_empty() {
                let names: Vec<String> = inside.iter().map(u32::to_string).collect();
                let stack = stacks::of_process(child);
                let text = format!("{now} {is_free} {}\n{stack}", names.join(" "));
                witness.notes().add(STACK, &text);
            }
        }
        for (process, child) in std::mem::take(&mut self.left) {
            if self.leaving || !stuck(self.workers_of(process)).is_empty() {
                let _ = kill(child, Signal::SIGKILL);
                let _ = waitpid(child, None);
                witness
                    .outcome(process)
                    .store(ENDED | HUNG, Ordering::Release);
            } else {
                self.left.push((process, child));
            }
        }
        // The others leave by themselves now, unless they are stuck on their way.
        self.leaving = true;
        self.deadline = Instant::now() + LEAVE_WITHIN;
        self.idle = Duration::ZERO;
        self.act = END;
        witness.set_rest(false, END);
        self.dismiss();
    }
}

/// The rule of a note that has on its first line the time, whether the lock was free for another
/// process, and which workers of one process were stuck; and their stacks below.
pub(crate) const STACK: &str = "stack";

fn start(plan: &Plan<'_>, process: usize, parent: Pid) -> io::Result<Pid> {
    for thread in 0..plan.threads {
        let worker = process * plan.threads + thread;
        plan.witness.begins_anew(worker as u32);
    }
    // SAFETY: this process has one thread, or was executed for the purpose and its others hold no lock that the child needs; the child
    // leaves by _exit and runs nothing of the test but the body.
    match unsafe { fork() }? {
        ForkResult::Parent { child } => Ok(child),
        ForkResult::Child => be_worker(plan, process, parent),
    }
}

/// Notes who has ended, and continues who was stopped; the processes that were killed.
fn reap(witness: &Witness, left: &mut Vec<(usize, Pid)>) -> Vec<usize> {
    let mut killed = Vec::new();
    left.retain(|&(process, child)| {
        let status = match waitpid(child, Some(WaitPidFlag::WNOHANG | WaitPidFlag::WUNTRACED)) {
            Ok(WaitStatus::Exited(_, status)) => status,
            Ok(WaitStatus::Signaled(_, signal, _)) => {
                killed.push(process);
                256 + signal as i32
            }
            Ok(WaitStatus::Stopped(..)) => {
                thread::sleep(STOPPED_FOR);
                let _ = kill(child, Signal::SIGCONT);
                return true;
            }
            _ => return true,
        };
        let word = ENDED | u64::from(status.cast_unsigned());
        witness.outcome(process).store(word, Ordering::Release);
        false
    });
    killed
}

fn be_worker(plan: &Plan<'_>, process: usize, parent: Pid) -> ! {
    // Nobody outlives the test, however it ends. The parent may be gone before the signal was asked for.
    let _ = set_pdeathsig(Signal::SIGKILL);
    let work = AssertUnwindSafe(|| {
        assert_eq!(getppid(), parent, "the test is gone");
        // A lock path that the test has set for its thread is inherited by the fork, not by threads.
        let lock_path = lockutils::get_lock_path();
        (plan.prepare)().unwrap_or_else(|error| panic!("a worker cannot begin: {error}"));
        thread::scope(|scope| {
            let first = (process * plan.threads) as u32;
            for thread in 1..plan.threads as u32 {
                let lock_path = lock_path.clone();
                scope.spawn(move || {
                    let _scope = lock_path.map(LockPathScope::enter);
                    be_thread(plan, first + thread);
                });
            }
            be_thread(plan, first);
        });
    });
    let status = match catch_unwind(work) {
        Ok(()) => DONE,
        Err(_) => PANICKED,
    };
    // SAFETY: ends the process. A return into the test would run the rest of it twice, and a panic there exits with 0.
    unsafe { libc::_exit(status) }
}

fn be_thread(plan: &Plan<'_>, worker: u32) {
    plan.witness.one_is_ready();
    while !plan.witness.has_started() {
        thread::sleep(Duration::from_micros(20));
    }
    // One that panics is outside as well, and the others need not wait for it.
    let leave = Leaves(plan.witness, worker);
    (plan.work)(worker);
    std::mem::forget(leave);
    plan.witness.is_done(worker);
}

struct Leaves<'a>(&'a Witness, u32);

impl Drop for Leaves<'_> {
    fn drop(&mut self) {
        self.0.has_left(self.1);
    }
}
