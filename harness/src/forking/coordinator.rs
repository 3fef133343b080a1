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

use crate::witness::Witness;

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
    /// It had not ended at the deadline, and was killed.
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
            Outcome::Hung => f.write_str("had not ended at the deadline"),
            Outcome::NotStarted => f.write_str("was not started"),
        }
    }
}

/// What a run does.
pub(crate) struct Plan<'a> {
    pub(crate) witness: &'a Witness,
    pub(crate) deadline: Duration,
    /// What each process does before its threads begin.
    pub(crate) prepare: &'a (dyn Fn() -> io::Result<()> + Sync),
    /// The work of one thread, by its number among all.
    pub(crate) work: &'a (dyn Fn(u32) + Sync),
    /// Threads of each process.
    pub(crate) threads: usize,
    /// Whether another process goes on where one was killed.
    pub(crate) replace_killed: bool,
}

/// For how long a process that stopped itself stays so.
const STOPPED_FOR: Duration = Duration::from_millis(2);

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
    plan.witness.start();
    while !left.is_empty() {
        let killed = reap(plan.witness, &mut left);
        if plan.replace_killed {
            for process in killed {
                left.push((process, start(plan, process, parent)?));
            }
        }
        if Instant::now() >= deadline {
            for (process, child) in left.drain(..) {
                let _ = kill(child, Signal::SIGKILL);
                let _ = waitpid(child, None);
                plan.witness
                    .outcome(process)
                    .store(ENDED | HUNG, Ordering::Release);
            }
        }
        thread::sleep(Duration::from_micros(200));
    }
    Ok(())
}

fn start(plan: &Plan<'_>, process: usize, parent: Pid) -> io::Result<Pid> {
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
    (plan.work)(worker);
}
