//! Runs a body in many processes and threads at once, and says whether two were ever in its section.

mod faults;
mod last_events;
mod observation;
mod report;
mod worker;

use std::io;
use std::rc::Rc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use faults::Faults;
use oslo_concurrency::lockutils::scope::LockPathScope;

pub use faults::Fault;
pub use report::Report;
pub use worker::Worker;

use crate::forking::{self, Outcome, Plan, Role};
use crate::witness::{Shape, Witness};

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
    seed: u64,
    hold: Duration,
    room: usize,
    observed: Option<String>,
    faults: Faults,
    isolated: bool,
}

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
            seed: seed_from_environment().unwrap_or_else(crate::witness::now),
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
    pub fn run<F: Fn(&Worker<'_>) + Sync>(self, body: F) -> Report {
        match self.try_run(&body) {
            Ok(report) => report,
            Err(error) => panic!(
                "{} worker processes cannot be started: {error}",
                self.processes
            ),
        }
    }

    fn try_run(&self, body: &(dyn Fn(&Worker<'_>) + Sync)) -> io::Result<Report> {
        let own = (self.isolated && !LockPathScope::is_entered()).then(tempfile::tempdir);
        let own = own.transpose()?;
        let _scope = own.as_ref().map(|own| LockPathScope::enter(own.path()));
        let shape = Shape {
            processes: self.processes,
            threads: self.threads,
            // A section takes two entries, and a death one for each thread of the process.
            entries: self.sections * 2 * self.room + 16 + self.deaths(),
        };
        match forking::role()? {
            Role::Forker(fd) => {
                self.fork_here(&Witness::inherited(fd, shape)?, body)?;
                forking::leave();
            }
            Role::After(fd, errors) => Ok(self.report(&Witness::inherited(fd, shape)?, errors)),
            Role::Test if forking::may_fork() => {
                let witness = Witness::new(shape)?;
                self.fork_here(&witness, body)?;
                Ok(self.report(&witness, String::new()))
            }
            Role::Test => {
                let witness = Witness::new(shape)?;
                let errors = forking::execute_again(witness.fd())?;
                let report = self.report(&witness, errors);
                witness.keep_open(); // for the processes of later runs
                Ok(report)
            }
        }
    }

    fn report(&self, witness: &Witness, errors: String) -> Report {
        let outcomes: Vec<Outcome> = (0..self.processes)
            .map(|process| Outcome::of(witness.outcome(process).load(Ordering::Acquire)))
            .collect();
        Report::new(witness, outcomes, self.seed, errors).watching(self.observed.clone())
    }

    fn fork_here(&self, witness: &Witness, body: &(dyn Fn(&Worker<'_>) + Sync)) -> io::Result<()> {
        let work = |number: u32| match &self.observed {
            None => self.worker(witness, number).call(body, self.sections),
            Some(_) => {
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
        forking::run_here(&Plan {
            witness,
            deadline: self.deadline,
            work: &work,
            prepare: &prepare,
            threads: self.threads,
            replace_killed: self.faults.kinds.contains(&Fault::Kill),
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
