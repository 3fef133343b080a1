//! Runs a body in many processes and threads at once, and says whether two were ever in its section.

mod exercise;
mod faults;
mod last_events;
mod observation;
mod report;
mod rules;
mod stranger;
mod worker;

use std::io;
use std::rc::Rc;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use exercise::Exercise;
use faults::Faults;
use nix::unistd::Pid;
use oslo_concurrency::lockutils::{self, scope::LockPathScope};
use rules::Rules;

pub use faults::Fault;
pub(crate) use faults::SignalStorm;
pub use report::StressReport;
pub use rules::Breach;
pub use worker::Worker;

use crate::testing::forking::{self, Acts, Outcome, Plan, Role};
use crate::testing::lock::{Guarantee, Lock};
use crate::testing::witness::{Shape, Witness};

/// A stress run: what to run it with, and then [`run`](Stress::run).
///
/// ```
/// use lockutils_harness::Stress;
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
#[must_use = "nothing is tried before `run`"]
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

/// Users' bodies may do something else than to ask for the lock.
const STUCK_AFTER: Duration = Duration::from_secs(5);
/// Nobody does anything but to ask for the lock.
const STUCK_IN_AN_EXERCISE_AFTER: Duration = Duration::from_secs(3);

/// The environment variable that repeats a run with the same random numbers.
pub const SEED: &str = "LOCKUTILS_SEED";

impl Stress {
    /// Four processes of one thread, 1,000 sections each, within a minute; the seed from LOCKUTILS_SEED, or a new one.
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

    /// How many processes.
    pub fn processes(mut self, processes: usize) -> Self {
        self.processes = processes.max(1);
        self
    }

    /// How many threads in each process.
    pub fn threads(mut self, threads: usize) -> Self {
        self.threads = threads.max(1);
        self
    }

    /// How often each thread calls the body.
    pub fn sections(mut self, sections: usize) -> Self {
        self.sections = sections;
        self
    }

    /// How long all of it may take. What has not ended then is killed, and reported as hung.
    pub fn deadline(mut self, deadline: Duration) -> Self {
        self.deadline = deadline;
        self
    }

    /// How long nothing may happen: no worker has entered or left a section or called the body. Whoever is not outside then is stuck, and
    /// killed. Five seconds unless set, three for [`exercise`](Self::exercise); a body that stays in one call for longer must say so here.
    pub fn stuck_after(mut self, time: Duration) -> Self {
        self.stuck_after = Some(time);
        self
    }

    /// How long [`exercise`](Self::exercise) asks the lock at least; three seconds unless set.
    pub fn duration(mut self, time: Duration) -> Self {
        self.duration = time;
        self
    }

    /// The start of the workers' random numbers.
    pub fn seed(mut self, seed: u64) -> Self {
        self.seed = seed;
        self
    }

    /// Stays in each section for a random time up to this.
    pub fn hold(mut self, at_most: Duration) -> Self {
        self.hold = at_most;
        self
    }

    /// How many times the body calls [`Worker::section`] at most; twice unless set.
    pub fn room(mut self, sections_in_the_body: usize) -> Self {
        self.room = sections_in_the_body.max(1);
        self
    }

    /// Watches the lock `name` of `oslo_concurrency` itself: what is between its acquire and its release is the section, and the body need
    /// not call [`Worker::section`]. For a lock without a name, say its path. Reader-writer locks cannot be watched.
    pub fn observe(mut self, name: impl Into<String>) -> Self {
        self.observed = Some(name.into());
        self
    }

    /// Lets these faults happen, each time one of them, once in so many calls of the body; the report counts them.
    pub fn faults(mut self, kinds: &[Fault], once_in: u64) -> Self {
        self.faults = Faults {
            kinds: kinds.to_vec(),
            once_in,
        };
        self
    }

    /// Gives the run a lock path of its own, unless a [`LockPathScope`] of this thread says where the locks are. The fixture `stress` does so.
    pub fn isolated(mut self) -> Self {
        self.isolated = true;
        self
    }

    /// Runs `body` so often in each thread of each process. The body takes the lock, and calls [`Worker::section`] under it.
    ///
    /// Worker processes are forked; in a process of many threads, as tests are, the test program is first executed once more for this test
    /// alone, so everything that the test does before this call happens there as well, with the same results of earlier runs.
    ///
    /// # Panics
    /// If the workers cannot be started.
    pub fn run<F: Fn(&Worker<'_>) + Sync>(self, body: F) -> StressReport {
        let processes = self.processes;
        or_panic(processes, self.try_run(&Work::Body(&body, None)))
    }

    /// As [`run`](Self::run), with a body that asks `lock` by [`Worker::attempt`]. When all have done their calls a process that has
    /// nothing to do with them asks whether the lock is free.
    ///
    /// # Panics
    /// If the workers cannot be started.
    pub fn run_on<F: Fn(&Worker<'_>) + Sync>(self, lock: &impl Lock, body: F) -> StressReport {
        let processes = self.processes;
        or_panic(processes, self.try_run(&Work::Body(&body, Some(&lock))))
    }

    /// Asks `lock` for all that it offers, for [`duration`](Self::duration) and as long again if few
    /// had to wait for each other: waits without and with an end, tries, all at once, one after
    /// the other and alone, while it is held and while it is free. After each act a process that has nothing to do with the workers asks
    /// whether the lock is free. The history of all answers is checked, see [`StressReport::breaches`].
    ///
    /// ```
    /// use std::time::Duration;
    /// use lockutils_harness::Stress;
    /// use lockutils_harness::testing::conformance::Oslo;
    ///
    /// let directory = tempfile::tempdir().unwrap();
    /// Stress::new().duration(Duration::from_millis(200)).exercise(&Oslo::new(directory.path())).assert_exclusive();
    /// ```
    ///
    /// # Panics
    /// If the workers cannot be started.
    pub fn exercise(self, lock: &impl Lock) -> StressReport {
        let processes = self.processes;
        or_panic(processes, self.try_run(&Work::Exercise(&lock)))
    }

    fn try_run(&self, what: &Work<'_>) -> io::Result<StressReport> {
        let own = (self.isolated && !LockPathScope::is_entered()).then(tempfile::tempdir);
        let own = own.transpose()?;
        let _scope = own.as_ref().map(|own| LockPathScope::enter(own.path()));
        let workers = self.processes * self.threads;
        let shape = Shape {
            processes: self.processes,
            threads: self.threads,
            entries: match what {
                // A section takes four entries at most, and a death one for each thread of the process.
                Work::Body(..) => self.sections * 4 * self.room + 16 + self.deaths(),
                Work::Exercise(_) => (EXERCISE_ENTRIES / workers).max(1 << 14) + self.deaths(),
            },
        };
        match forking::role()? {
            Role::Forker(fd) => {
                self.fork_here(&Witness::inherited(fd, shape)?, what)?;
                forking::leave();
            }
            Role::After(fd, errors) => {
                Ok(self.report(&Witness::inherited(fd, shape)?, errors, what))
            }
            Role::Test if forking::may_fork() => {
                let witness = Witness::new(shape)?;
                self.fork_here(&witness, what)?;
                Ok(self.report(&witness, String::new(), what))
            }
            Role::Test => {
                let witness = Witness::new(shape)?;
                let errors = forking::execute_again(witness.fd())?;
                let report = self.report(&witness, errors, what);
                witness.keep_open(); // for the processes of later runs
                Ok(report)
            }
        }
    }

    fn report(&self, witness: &Witness, errors: String, what: &Work<'_>) -> StressReport {
        let outcomes: Vec<Outcome> = (0..self.processes)
            .map(|process| Outcome::of(witness.outcome(process).load(Ordering::Acquire)))
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
            .watching(self.observed.clone())
    }

    fn fork_here(&self, witness: &Witness, what: &Work<'_>) -> io::Result<()> {
        let exercise = Exercise {
            witness,
            duration: self.duration,
            began: Instant::now(),
        };
        let work = |number: u32| match (what, &self.observed) {
            (Work::Exercise(lock), _) => exercise::work(&self.worker(witness, number), *lock),
            (Work::Body(body, _), None) => self.worker(witness, number).call(body, self.sections),
            (Work::Body(body, _), Some(_)) => {
                let faults = Box::leak(Box::new(self.faults.clone()));
                let witness = observation::lasting(witness).expect("the witness is mapped again");
                let worker = Rc::new(Worker::new(witness, number, self.seed, self.hold, faults));
                observation::this_thread_is(&worker);
                worker.call(body, self.sections);
                // One process tells for all.
                if number == 0 {
                    observation::tell_if_unseen();
                }
            }
        };
        let prepare = || match &self.observed {
            None => Ok(()),
            Some(name) => observation::watch(name),
        };
        let lock_path = lockutils::get_lock_path();
        let locked_before = stranger::locked_here();
        let look = |processes: &[Pid]| match (what.lock(), &lock_path) {
            (Some(lock), _) => stranger::asks(lock, processes),
            (None, Some(path)) => stranger::looks(path, &locked_before, processes),
            (None, None) => None,
        };
        let acts: Option<&dyn Acts> = match what {
            Work::Exercise(_) => {
                witness.set_act(exercise.first());
                Some(&exercise)
            }
            Work::Body(..) => None,
        };
        forking::run_here(&Plan {
            witness,
            deadline: self.deadline,
            stuck_after: match what {
                Work::Body(..) => self.stuck_after.unwrap_or(STUCK_AFTER),
                Work::Exercise(_) => self.stuck_after.unwrap_or(STUCK_IN_AN_EXERCISE_AFTER),
            },
            work: &work,
            prepare: &prepare,
            threads: self.threads,
            replace_killed: self.faults.kinds.contains(&Fault::Kill),
            look: &look,
            look_asks: what.lock().is_some(),
            acts,
        })
    }

    /// About how often one of the threads of a process is killed, and twice as often as that.
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

/// Where the threads of a process are, as the kernel tells: what they do, their system call, and for root the kernel's stack.
pub fn stack_of(process: Pid) -> String {
    forking::stack_of(process)
}

/// What the workers of a run do.
enum Work<'a> {
    /// Each calls the body; the lock that it asks, if that is known.
    Body(&'a (dyn Fn(&Worker<'_>) + Sync), Option<&'a dyn Lock>),
    /// They ask the lock for all that it offers.
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

/// Of all workers of an exercise together; 16 bytes each, and only those that are written take memory.
const EXERCISE_ENTRIES: usize = 1 << 20;

fn or_panic(processes: usize, report: io::Result<StressReport>) -> StressReport {
    report.unwrap_or_else(|error| panic!("{processes} worker processes cannot be started: {error}"))
}

impl Default for Stress {
    fn default() -> Self {
        Stress::new()
    }
}

fn seed_from_environment() -> Option<u64> {
    let text = std::env::var(SEED).ok()?;
    match text.strip_prefix("0x") {
        Some(digits) => u64::from_str_radix(digits, 16).ok(),
        None => text.parse().ok(),
    }
}
