//! Starts the worker processes of a run together and waits for all of them to end.

use std::fmt;
use std::io;
use std::ops::Range;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::Ordering;
use std::thread;
use std::time::{Duration, Instant};

use oslo_concurrency::lockutils::{self, scope::LockPathScope};

use super::ended::Ended;
use super::platform::{self, Child, Team};
use crate::sys::describe_signal;
use crate::sys::inspect::{self, Starvation};
use crate::testing::witness::Witness;

/// The end of a worker process.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum ProcessOutcome {
    /// The worker made all its calls of the body.
    Done,
    /// The body panicked.
    Panicked,
    /// The body called `exit` with this status.
    Exited(i32),
    /// A signal of this number ended it. Without signals: it was killed, and the number is 9.
    Killed(i32),
    /// The worker was stuck and was killed: it passed the deadline, or no worker made progress for
    /// too long.
    Hung,
    /// The worker was never started.
    NotStarted,
}

const DONE: i32 = 0;
/// The status of a Rust program whose main thread panics.
const PANICKED: i32 = 101;
const HUNG: u64 = 1 << 32;
const ENDED: u64 = 1 << 33;
/// The process is about to leave the test, whose exit status says nothing about the run.
const LEAVING: u64 = 1 << 34;

impl ProcessOutcome {
    pub(crate) fn from_word(word: u64) -> Self {
        let status = word as u32 as i32;
        match word {
            0 => ProcessOutcome::NotStarted,
            word if word & HUNG != 0 => ProcessOutcome::Hung,
            _ if status == DONE => ProcessOutcome::Done,
            _ if status == PANICKED => ProcessOutcome::Panicked,
            _ if status >= 256 => ProcessOutcome::Killed(status - 256),
            _ => ProcessOutcome::Exited(status),
        }
    }
}

impl fmt::Display for ProcessOutcome {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            ProcessOutcome::Done => f.write_str("completed its sections"),
            ProcessOutcome::Panicked => f.write_str("panicked"),
            ProcessOutcome::Exited(status) => write!(f, "called exit({status}) in its body"),
            ProcessOutcome::Killed(signal) => match describe_signal(*signal) {
                Some(signal) => write!(f, "was killed by {signal}"),
                None => f.write_str("was killed"),
            },
            ProcessOutcome::Hung => f.write_str("was stuck and had to be killed"),
            ProcessOutcome::NotStarted => f.write_str("was not started"),
        }
    }
}

/// A run of worker processes.
pub(crate) struct Plan<'a> {
    pub(crate) witness: &'a Witness,
    pub(crate) deadline: Duration,
    /// Time without progress after which workers that are not outside of the lock are stuck.
    pub(crate) stuck_after: Duration,
    /// Called in each process before its threads start.
    pub(crate) prepare: &'a (dyn Fn() -> io::Result<()> + Sync),
    /// The work of one thread, by its number among all workers.
    pub(crate) work: &'a (dyn Fn(u32) + Sync),
    /// Threads per process.
    pub(crate) threads: usize,
    /// If `true`, a killed process is replaced.
    pub(crate) replace_killed: bool,
    /// Checks, while all workers are outside, that the lock is free for these processes. The second
    /// argument asks another process to [try the lock](Plan::try_lock).
    pub(crate) inspect: &'a Inspect<'a>,
    /// Tries the lock and returns an exit status; `None` if only its kernel locks are inspected. Its
    /// answer is evidence also while some workers are stuck.
    pub(crate) try_lock: Option<&'a (dyn Fn() -> i32 + Sync)>,
    /// Time within which `try_lock` must return.
    pub(crate) try_limit: Duration,
    /// The exit status of `try_lock` if it could not try.
    pub(crate) not_tried: i32,
    /// The phases of the run, with a pause and an inspection after each. Without phases, workers
    /// make their calls freely and are inspected once all have finished.
    pub(crate) phases: Option<&'a dyn Phases>,
}

/// Inspects the lock; see [`Plan::inspect`].
pub(crate) type Inspect<'a> =
    dyn Fn(&[u32], &mut dyn FnMut() -> Option<i32>) -> Option<BrokenRule> + Sync + 'a;

/// The name of a rule, and how it was broken.
pub(crate) type BrokenRule = (String, String);

/// The phases of a run.
pub(crate) trait Phases: Sync {
    /// The phase that follows `phase`, which has lasted for `lasted`; `None` if it is not over.
    fn next(&self, phase: u64, lasted: Duration) -> Option<u64>;
}

/// The phase in which the workers leave.
pub(crate) const END: u64 = u64::MAX;

const TICK: Duration = Duration::from_micros(200);
/// Longer ticks do not count against a worker: the machine slept, or this process did.
const LONGEST_TICK: Duration = Duration::from_millis(50);
/// Time within which dismissed workers must leave.
const LEAVE_WITHIN: Duration = Duration::from_secs(3);
/// Finished workers wait no longer than this for progress of the others: one of these may wait for
/// the end of a finished process.
const FINISHED_WAIT: Duration = Duration::from_millis(250);
/// Maximum number of excuses in a row. Waiters that poll on a loaded machine are always kept from
/// running; even so they may be stuck.
const MOST_EXCUSES: u32 = 8;

/// The worker processes that have not ended, and their observed progress.
struct Run<'a> {
    plan: &'a Plan<'a>,
    team: Team,
    running: Vec<(usize, Child)>,
    progress: u64,
    /// Time without progress.
    idle: Duration,
    /// Time for which the workers had been kept from running when they were last found idle.
    starvation: Option<Starvation>,
    /// Number of times in a row that the machine was blamed.
    excuses: u32,
    deadline: Instant,
    phase_began: Instant,
    phase: u64,
    next: u64,
    dismissed: bool,
    /// Set once stuck workers were killed and the others are leaving.
    leaving: bool,
}

/// Starts the worker processes together, and waits for all of them to end. How each process ended is
/// in the witness afterwards. Returns their standard error, as far as it is not that of this process.
///
/// A process that was executed as a worker becomes that worker, and returns at its end.
pub(crate) fn run_workers(plan: &Plan<'_>) -> io::Result<String> {
    let shape = plan.witness.shape();
    if let Some((process, lock_path)) = platform::this_worker() {
        let _scope = lock_path.map(LockPathScope::enter);
        if process < shape.processes {
            let status = live(plan, process);
            let word = LEAVING | u64::from(status.cast_unsigned());
            plan.witness.outcome(process).store(word, Ordering::Release);
        } else {
            platform::serve_questions(plan.witness, plan.try_lock);
        }
        return Ok(String::new());
    }
    let mut team = Team::new(plan.witness)?;
    let mut running: Vec<(usize, Child)> = Vec::with_capacity(shape.processes);
    for process in 0..shape.processes {
        match start(plan, &mut team, process) {
            Ok(child) => running.push((process, child)),
            Err(error) => {
                running.into_iter().for_each(|(_, child)| child.kill());
                return Err(error);
            }
        }
    }
    let deadline = Instant::now() + plan.deadline;
    while plan.witness.ready() < shape.workers() && Instant::now() < deadline {
        reap(plan.witness, &mut running);
        if running.len() < shape.processes {
            break; // one died before it began
        }
        thread::sleep(Duration::from_micros(50));
    }
    let mut run = Run {
        plan,
        team,
        running,
        progress: 0,
        idle: Duration::ZERO,
        starvation: None,
        excuses: 0,
        deadline,
        phase_began: Instant::now(),
        phase: plan.witness.phase(),
        next: END,
        dismissed: false,
        leaving: false,
    };
    plan.witness.start();
    while !run.running.is_empty() {
        let before = run.running.len();
        let killed = reap(plan.witness, &mut run.running);
        if plan.replace_killed {
            for process in killed {
                let child = start(plan, &mut run.team, process)?;
                run.running.push((process, child));
            }
        }
        let progress = plan.witness.progress();
        if progress != run.progress || run.running.len() != before {
            run.idle = Duration::ZERO;
            run.starvation = None;
            run.excuses = 0;
            run.progress = progress;
        }
        run.coordinate();
        if Instant::now() >= run.deadline || (run.idle >= plan.stuck_after && !run.is_starved()) {
            run.kill_stuck_processes();
        }
        let tick = Instant::now();
        thread::sleep(TICK);
        let took = tick.elapsed();
        let late = took.saturating_sub(TICK).as_nanos() as u64;
        plan.witness.record_lateness(late);
        run.idle += took.min(LONGEST_TICK);
    }
    Ok(run.team.errors())
}

impl Run<'_> {
    /// Returns `true` if the machine, not the lock, may have kept the workers from progress: they
    /// were ready to run, or waited for a disk. They are observed for some time; while the result
    /// is `true`, they have that time once more.
    fn is_starved(&mut self) -> bool {
        let now = inspect::starvation(&self.processes());
        let window = self.plan.stuck_after / 2;
        let starved = match self.starvation {
            None => true,
            Some(before) => now.on_disk || now.run_delay > before.run_delay + window / 10,
        };
        let starved = starved && self.excuses < MOST_EXCUSES;
        if starved {
            self.excuses += 1;
            self.idle = self.plan.stuck_after - window;
            self.starvation = Some(now);
        }
        starved
    }

    fn processes(&self) -> Vec<u32> {
        self.running.iter().map(|(_, child)| child.id()).collect()
    }

    fn workers_of(&self, process: usize) -> Range<u32> {
        let first = (process * self.plan.threads) as u32;
        first..first + self.plan.threads as u32
    }

    fn all_workers(&self, predicate: impl Fn(u32) -> bool) -> bool {
        self.running
            .iter()
            .all(|(process, _)| self.workers_of(*process).all(&predicate))
    }

    /// Pauses the workers, inspects the lock, and lets them continue.
    fn coordinate(&mut self) {
        let witness = self.plan.witness;
        if self.dismissed || self.running.is_empty() {
            return;
        }
        if self.all_workers(|worker| witness.has_finished(worker)) {
            self.inspect();
            self.dismiss();
            return;
        }
        match self.plan.phases {
            None => {
                let some_have_finished = !self.all_workers(|worker| !witness.has_finished(worker));
                if some_have_finished && self.idle > FINISHED_WAIT {
                    self.dismiss();
                }
            }
            Some(phases) if !witness.is_pause_requested() => {
                if let Some(next) = phases.next(self.phase, self.phase_began.elapsed()) {
                    self.next = next;
                    witness.set_pause(true, self.phase);
                }
            }
            Some(_) if self.all_workers(|worker| witness.is_outside(worker)) => {
                self.phase = if self.inspect() { END } else { self.next };
                self.phase_began = Instant::now();
                witness.set_pause(false, self.phase);
            }
            Some(_) => {}
        }
    }

    /// Returns `true` if the lock broke a rule.
    fn inspect(&mut self) -> bool {
        let (plan, processes) = (self.plan, self.processes());
        let mut ask = || {
            let try_lock = plan.try_lock?;
            let (limit, not_tried) = (plan.try_limit, plan.not_tried);
            self.team.ask(plan.witness, try_lock, limit, not_tried)
        };
        let found = (plan.inspect)(&processes, &mut ask);
        if let Some((rule, text)) = &found {
            self.plan.witness.notes().add(rule, text);
        }
        found.is_some()
    }

    fn dismiss(&mut self) {
        self.plan.witness.dismiss();
        self.dismissed = true;
    }

    /// Records the stacks of workers that are not outside of the lock, kills their processes, and
    /// lets the others leave.
    fn kill_stuck_processes(&mut self) {
        let witness = self.plan.witness;
        let now = crate::testing::witness::now();
        let is_free = self.plan.try_lock.is_some() && !self.inspect();
        let stuck = |workers: Range<u32>| -> Vec<u32> {
            workers.filter(|w| !witness.is_outside(*w)).collect()
        };
        for (process, child) in &self.running {
            let inside = stuck(self.workers_of(*process));
            if !inside.is_empty() {
                let names: Vec<String> = inside.iter().map(u32::to_string).collect();
                let stack = inspect::stack_of(child.id());
                let text = format!("{now} {is_free} {}\n{stack}", names.join(" "));
                witness.notes().add(STACK, &text);
            }
        }
        for (process, child) in std::mem::take(&mut self.running) {
            if self.leaving || !stuck(self.workers_of(process)).is_empty() {
                child.kill();
                witness
                    .outcome(process)
                    .store(ENDED | HUNG, Ordering::Release);
            } else {
                self.running.push((process, child));
            }
        }
        // The others leave by themselves now, unless they get stuck on their way.
        self.leaving = true;
        self.deadline = Instant::now() + LEAVE_WITHIN;
        self.idle = Duration::ZERO;
        self.phase = END;
        witness.set_pause(false, END);
        self.dismiss();
    }
}

/// The rule of a note about stuck workers of one process. Its first line has the time, whether the
/// lock was free for another process, and the workers; their stacks follow.
pub(crate) const STACK: &str = "stack";

fn start(plan: &Plan<'_>, team: &mut Team, process: usize) -> io::Result<Child> {
    for thread in 0..plan.threads {
        let worker = process * plan.threads + thread;
        plan.witness.reset(worker as u32);
    }
    plan.witness.outcome(process).store(0, Ordering::Release);
    team.start(process, &|| live(plan, process))
}

/// Records which processes ended. Returns those that were killed.
fn reap(witness: &Witness, running: &mut Vec<(usize, Child)>) -> Vec<usize> {
    let mut killed = Vec::new();
    running.retain_mut(|(process, child)| {
        let outcome = witness.outcome(*process);
        let left = outcome.load(Ordering::Acquire);
        let status = match child.ended() {
            None => return true,
            Some(Ended::Killed(signal)) => {
                killed.push(*process);
                256 + signal
            }
            Some(_) if left & LEAVING != 0 => left as u32 as i32,
            Some(Ended::Exited(status)) => status,
            Some(Ended::Missed) => return false,
        };
        let word = ENDED | u64::from(status.cast_unsigned());
        outcome.store(word, Ordering::Release);
        false
    });
    killed
}

/// The life of a worker process in the run. Returns its exit status.
fn live(plan: &Plan<'_>, process: usize) -> i32 {
    let work = AssertUnwindSafe(|| {
        // A fork inherits the lock path of the test's thread; the threads of the worker do not.
        let lock_path = lockutils::get_lock_path();
        (plan.prepare)().unwrap_or_else(|error| panic!("a worker cannot start: {error}"));
        thread::scope(|scope| {
            let first = (process * plan.threads) as u32;
            for thread in 1..plan.threads as u32 {
                let lock_path = lock_path.clone();
                scope.spawn(move || {
                    let _scope = lock_path.map(LockPathScope::enter);
                    run_worker_thread(plan, first + thread);
                });
            }
            run_worker_thread(plan, first);
        });
    });
    match catch_unwind(work) {
        Ok(()) => DONE,
        Err(_) => PANICKED,
    }
}

fn run_worker_thread(plan: &Plan<'_>, worker: u32) {
    plan.witness.mark_ready();
    while !plan.witness.has_started() {
        thread::sleep(Duration::from_micros(20));
    }
    // A worker that panics is outside as well; the others need not wait for it.
    let on_panic = MarkFinished(plan.witness, worker);
    (plan.work)(worker);
    std::mem::forget(on_panic);
    plan.witness.finish(worker);
}

struct MarkFinished<'a>(&'a Witness, u32);

impl Drop for MarkFinished<'_> {
    fn drop(&mut self) {
        self.0.mark_finished(self.1);
    }
}
