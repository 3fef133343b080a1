//! Stress runs: a body that uses a lock, in many processes and threads at once.
//!
//! A run starts worker processes by fork(2). Faults send signals to these and lower their limits.
//! The calling process keeps its signal handlers, its limits, its processors and its children. Two
//! things remain: a fork handler that counts forks (pthread_atfork(3)), and in a test program with
//! several threads two open descriptors per run, which a later run of the same test needs.
//!
//! # Without fork(2)
//! On Windows the test program is executed again for each worker, for this test alone. There the
//! test runs from its beginning to this run, where the process becomes that worker. So what the test
//! makes before the run, each worker makes once more: a directory that the test creates itself has
//! another name in each of them, and locks in it do not meet. Use [`Stress::isolated`], a
//! [fixture](crate::testing::fixtures), or a path that is the same in every process. A lock given to
//! [`Stress::run_on`] or [`Stress::exercise`] whose [file](Lock::file) is not that of the others is
//! an error. Faults that Windows has no means for are an error before the run.

mod exercise;
mod faults;
mod free_check;
mod last_events;
mod observation;
mod report;
mod rules;
mod worker;

use std::io;
use std::path::PathBuf;
use std::rc::Rc;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use exercise::Exercise;
use faults::Faults;
use oslo_concurrency::lockutils::{self, scope::LockPathScope};
use rules::Rules;

pub use faults::Fault;
pub use report::StressReport;
pub use rules::Violation;
pub use worker::Worker;

pub use crate::testing::forking::ProcessOutcome;

use crate::sys::{self, inspect};
use crate::testing::forking::{self, Phases, Plan};
use crate::testing::lock::{Guarantee, Lock};
use crate::testing::witness::{Shape, Witness};

/// A stress run: options, and then [`run`](Self::run), [`run_on`](Self::run_on) or
/// [`exercise`](Self::exercise).
///
/// ```
/// use lockutils_harness::prelude::*;
/// use oslo_concurrency::lockutils;
///
/// let directory = tempfile::tempdir().unwrap();
/// let lock = lockutils::lock("counter").external(true).lock_path(directory.path());
/// Stress::new()
///     .processes(2)
///     .threads(2)
///     .sections(100)
///     .run(|worker| lock.run(|| worker.section(|| ())).unwrap())
///     .assert_exclusive();
/// ```
#[derive(Clone, Debug)]
#[must_use = "nothing runs before `run`"]
pub struct Stress {
    processes: usize,
    threads: usize,
    sections: usize,
    deadline: Duration,
    stuck_after: Option<Duration>,
    duration: Duration,
    seed: u64,
    hold: Duration,
    room: usize,
    observed: Option<String>,
    faults: Faults,
    isolated: bool,
}

/// Longer than for an exercise, because a body may do more than use the lock.
const STUCK_AFTER: Duration = Duration::from_secs(5);
/// An exercise only uses the lock.
const EXERCISE_STUCK_AFTER: Duration = Duration::from_secs(3);

/// The environment variable with the seed of a run.
const SEED: &str = "LOCKUTILS_SEED";

impl Stress {
    /// A run of four processes with one thread each, 1,000 calls of the body per thread, and a
    /// deadline of one minute. The seed is that of the environment variable `LOCKUTILS_SEED`, or a
    /// new one.
    pub fn new() -> Self {
        Stress {
            processes: 4,
            threads: 1,
            sections: 1_000,
            deadline: Duration::from_secs(60),
            stuck_after: None,
            duration: Duration::from_secs(3),
            seed: seed_from_environment().unwrap_or_else(crate::testing::witness::now),
            hold: Duration::ZERO,
            room: 2,
            observed: None,
            faults: Faults::default(),
            isolated: false,
        }
    }

    /// Number of worker processes; 4 by default, at least 1.
    pub fn processes(mut self, processes: usize) -> Self {
        self.processes = processes.max(1);
        self
    }

    /// Number of threads per process; 1 by default, at least 1.
    pub fn threads(mut self, threads: usize) -> Self {
        self.threads = threads.max(1);
        self
    }

    /// Number of calls of the body per thread; 1,000 by default.
    pub fn sections(mut self, sections: usize) -> Self {
        self.sections = sections;
        self
    }

    /// Time limit of the whole run; one minute by default. Processes that have not ended by then
    /// are killed and reported as [`ProcessOutcome::Hung`].
    pub fn deadline(mut self, deadline: Duration) -> Self {
        self.deadline = deadline;
        self
    }

    /// Time without progress after which workers are stuck: no worker has entered or left a section
    /// or called the body. Their processes are killed.
    ///
    /// Five seconds by default, three for [`exercise`](Self::exercise). Set it if one call of the
    /// body may take longer.
    pub fn stuck_after(mut self, time: Duration) -> Self {
        self.stuck_after = Some(time);
        self
    }

    /// Minimum duration of an [`exercise`](Self::exercise); three seconds by default.
    pub fn duration(mut self, time: Duration) -> Self {
        self.duration = time;
        self
    }

    /// Seed of the workers' random numbers; overrides `LOCKUTILS_SEED`.
    pub fn seed(mut self, seed: u64) -> Self {
        self.seed = seed;
        self
    }

    /// Maximum of the random time that a worker stays in each section, in addition to the body's
    /// own; 0 by default.
    pub fn hold(mut self, max: Duration) -> Self {
        self.hold = max;
        self
    }

    /// Maximum number of sections per call of the body; 2 by default.
    ///
    /// If the body enters more, the logs overflow and the verdict is *not known*.
    pub fn room(mut self, sections_per_call: usize) -> Self {
        self.room = sections_per_call.max(1);
        self
    }

    /// Observes the lock `name` of `oslo_concurrency`: the section lasts from its acquire to its
    /// release, and the body need not call [`Worker::section`].
    ///
    /// For a lock without a name, give its path. Reader-writer locks cannot be observed.
    pub fn observe(mut self, name: impl Into<String>) -> Self {
        self.observed = Some(name.into());
        self
    }

    /// Injects one of these faults, at random, once in so many calls of the body. The report counts
    /// them.
    pub fn faults(mut self, kinds: &[Fault], once_in: u64) -> Self {
        self.faults = Faults {
            kinds: kinds.to_vec(),
            once_in,
        };
        self
    }

    /// Gives the run a lock path of its own, which is removed afterwards.
    ///
    /// Has no effect while this thread has a [`LockPathScope`]. The fixture
    /// [`stress`](crate::testing::fixtures::stress) sets this.
    pub fn isolated(mut self) -> Self {
        self.isolated = true;
        self
    }

    /// Runs `body` in each thread of each worker process. The body acquires the lock and calls
    /// [`Worker::section`] while it holds it.
    ///
    /// Worker processes are forked. Forking is not safe in a process with several threads, as test
    /// programs are; there the test program is first executed again for this test alone. Code of
    /// the test before this call runs there as well, and earlier runs of the test have the same
    /// results there.
    ///
    /// # Panics
    /// Panics if the workers cannot be started, for example because this is not the thread of the
    /// test.
    pub fn run<F: Fn(&Worker<'_>) + Sync>(self, body: F) -> StressReport {
        let processes = self.processes;
        or_panic(processes, self.try_run(&Work::Body(&body, None)))
    }

    /// The same as [`run`](Self::run), for a body that acquires `lock` by [`Worker::attempt`].
    ///
    /// When all workers have made their calls, another process checks that the lock is free.
    ///
    /// # Panics
    /// The same as [`run`](Self::run).
    pub fn run_on<F: Fn(&Worker<'_>) + Sync>(self, lock: &impl Lock, body: F) -> StressReport {
        let processes = self.processes;
        or_panic(processes, self.try_run(&Work::Body(&body, Some(&lock))))
    }

    /// Uses everything that `lock` offers, for [`duration`](Self::duration) and up to three seconds
    /// more if few workers had to wait for each other.
    ///
    /// Workers acquire, try and wait with a limit: all at once, one after the other and alone,
    /// while the lock is held and while it is free. After each phase another process checks that
    /// the lock is free. All answers are recorded and judged; see [`StressReport::violations`].
    ///
    /// ```
    /// use std::time::Duration;
    /// use lockutils_harness::prelude::*;
    /// use lockutils_harness::testing::conformance::Oslo;
    ///
    /// let directory = tempfile::tempdir().unwrap();
    /// Stress::new()
    ///     .duration(Duration::from_millis(200))
    ///     .exercise(&Oslo::new(directory.path()))
    ///     .assert_exclusive();
    /// ```
    ///
    /// # Panics
    /// Panics if the workers cannot be started.
    pub fn exercise(self, lock: &impl Lock) -> StressReport {
        let processes = self.processes;
        or_panic(processes, self.try_run(&Work::Exercise(&lock)))
    }

    fn try_run(&self, what: &Work<'_>) -> io::Result<StressReport> {
        self.faults.check()?;
        let own = (self.isolated && !LockPathScope::is_entered()).then(tempfile::tempdir);
        let own = own.transpose()?;
        let lock_path = own.as_ref().map(|own| sys::agree(own.path())).transpose()?;
        let _scope = lock_path.map(LockPathScope::enter);
        if let Some(file) = what.lock().and_then(Lock::file) {
            let theirs = sys::agree(&file)?;
            if theirs != file {
                return Err(io::Error::other(OtherLock { theirs, file }));
            }
        }
        let workers = self.processes * self.threads;
        let entries = match what {
            // A section takes at most four entries, and a death one per thread of the process.
            Work::Body(..) => self.sections * 4 * self.room + 16 + self.deaths(),
            Work::Exercise(_) => (EXERCISE_ENTRIES / workers).max(1 << 14) + self.deaths(),
        };
        let shape = Shape::new(self.processes, self.threads, entries);
        forking::run(
            shape,
            &|witness| self.run_here(witness, what),
            &|witness, errors| self.report(witness, errors, what),
        )
    }

    fn report(&self, witness: &Witness, errors: String, what: &Work<'_>) -> StressReport {
        let outcomes: Vec<ProcessOutcome> = (0..self.processes)
            .map(|process| {
                ProcessOutcome::from_word(witness.outcome(process).load(Ordering::Acquire))
            })
            .collect();
        let harmless = [
            Fault::Kill,
            Fault::Pause,
            Fault::Panic,
            Fault::SignalStorm,
            Fault::DescriptorLimit,
        ];
        let rules = Rules {
            lock_may_be_elsewhere: !self.faults.kinds.iter().all(|f| harmless.contains(f)),
            fair: what
                .lock()
                .is_some_and(|lock| lock.promises(Guarantee::Fairness)),
        };
        StressReport::new(witness, outcomes, self.seed, errors, rules)
            .observing(self.observed.clone())
    }

    fn run_here(&self, witness: &Witness, what: &Work<'_>) -> io::Result<String> {
        let exercise = Exercise {
            witness,
            duration: self.duration,
            began: Instant::now(),
        };
        let work = |number: u32| match (what, &self.observed) {
            (Work::Exercise(lock), _) => exercise::work(&self.worker(witness, number), *lock),
            (Work::Body(body, _), None) => self
                .worker(witness, number)
                .call_repeatedly(body, self.sections),
            (Work::Body(body, _), Some(_)) => {
                let faults = Box::leak(Box::new(self.faults.clone()));
                let witness =
                    observation::leak_witness(witness).expect("the witness is mapped again");
                let worker = Rc::new(Worker::new(witness, number, self.seed, self.hold, faults));
                observation::attach(&worker);
                worker.call_repeatedly(body, self.sections);
                // One process reports for all.
                if number == 0 {
                    observation::report_if_unseen();
                }
            }
        };
        let prepare = || match &self.observed {
            None => Ok(()),
            Some(name) => observation::observe_lock(name),
        };
        let lock_path = lockutils::get_lock_path();
        let locked_before = free_check::files_locked_here();
        let inspect = |processes: &[u32], ask: &mut dyn FnMut() -> Option<i32>| match (
            what.lock(),
            &lock_path,
        ) {
            (Some(lock), _) => free_check::by_trying(lock, processes, ask),
            (None, Some(path)) => free_check::by_kernel_locks(path, &locked_before, processes),
            (None, None) => None,
        };
        let try_lock = what
            .lock()
            .map(|lock| move || free_check::try_for_a_while(lock));
        let phases: Option<&dyn Phases> = match what {
            Work::Exercise(_) => {
                witness.set_phase(exercise.first());
                Some(&exercise)
            }
            Work::Body(..) => None,
        };
        forking::run_workers(&Plan {
            witness,
            deadline: self.deadline,
            stuck_after: match what {
                Work::Body(..) => self.stuck_after.unwrap_or(STUCK_AFTER),
                Work::Exercise(_) => self.stuck_after.unwrap_or(EXERCISE_STUCK_AFTER),
            },
            work: &work,
            prepare: &prepare,
            threads: self.threads,
            replace_killed: self.faults.kinds.contains(&Fault::Kill),
            inspect: &inspect,
            try_lock: try_lock.as_ref().map(|it| it as &(dyn Fn() -> i32 + Sync)),
            try_limit: 2 * free_check::GRACE,
            not_tried: free_check::NOT_KNOWN,
            phases,
        })
    }

    /// Room for the deaths of a worker: about twice as many as are expected.
    fn deaths(&self) -> usize {
        let calls = self.sections * self.threads;
        calls
            .checked_div(self.faults.once_in as usize)
            .map_or(0, |faults| 2 * faults + 64)
    }

    fn worker<'a>(&'a self, witness: &'a Witness, number: u32) -> Worker<'a> {
        Worker::new(witness, number, self.seed, self.hold, &self.faults)
    }
}

/// The positions of the threads of a process, according to the kernel; for this workspace's soak
/// test.
#[doc(hidden)]
pub fn stack_of(process: i32) -> String {
    inspect::stack_of(process.cast_unsigned())
}

/// A worker process that would use another lock than the others.
#[derive(Debug, thiserror::Error)]
#[error(
    "the lock file of this worker is {} and not {}, as each worker process runs the test from its \
     beginning: put it into the lock path of a fixture, or into a directory that is the same in all \
     processes",
    file.display(),
    theirs.display()
)]
struct OtherLock {
    theirs: PathBuf,
    file: PathBuf,
}

/// The work of a run's workers.
enum Work<'a> {
    /// Each calls the body, which uses this lock if it is known.
    Body(&'a (dyn Fn(&Worker<'_>) + Sync), Option<&'a dyn Lock>),
    /// They use all operations of the lock.
    Exercise(&'a dyn Lock),
}

impl Work<'_> {
    fn lock(&self) -> Option<&dyn Lock> {
        match self {
            Work::Body(_, lock) => *lock,
            Work::Exercise(lock) => Some(*lock),
        }
    }
}

/// Log entries of all workers of an exercise, 16 bytes each. Only written ones take memory.
const EXERCISE_ENTRIES: usize = 1 << 20;

fn or_panic(processes: usize, report: io::Result<StressReport>) -> StressReport {
    report.unwrap_or_else(|error| panic!("cannot start {processes} worker processes: {error}"))
}

impl Default for Stress {
    fn default() -> Self {
        Stress::new()
    }
}

/// The seed of the environment variable [`SEED`].
pub(crate) fn seed_from_environment() -> Option<u64> {
    let text = std::env::var(SEED).ok()?;
    match text.strip_prefix("0x") {
        Some(digits) => u64::from_str_radix(digits, 16).ok(),
        None => text.parse().ok(),
    }
}
