//! Random programs of lock operations, run for real and shrunk to the smallest that still fails.
//!
//! ```
//! use lockutils_harness::testing::conformance::Oslo;
//! use lockutils_harness::prelude::*;
//! use proptest::prelude::*;
//!
//! proptest! {
//!     #![proptest_config(ProptestConfig::with_cases(5))]
//!     # /*
//!     #[test]
//!     # */
//!     fn programs_exclude(program in programs(2..=3, 1..=3, 1..=8)) {
//!         let directory = tempfile::tempdir().unwrap();
//!         prop_assert!(program.run(&Oslo::new(directory.path()))?.is_exclusive());
//!     }
//! }
//! # programs_exclude();
//! ```
//!
//! In a test program the whole test is run once in a process of its own, which has one thread and may fork. A failure there is
//! the failure here: the smallest failing program is found there, and proptest writes its seed to the regression file there. Here nothing
//! is shrunk, and no seed is written.
//!
//! Programs run for real, so one that fails may pass when it is run again. Once one has failed, each smaller one is run several times, and
//! passes if it passes every time: what is shown in the end was seen to fail, with the violation that is shown.

use std::cell::{Cell, RefCell};
use std::fs;
use std::ops::RangeInclusive;
use std::time::Duration;

use proptest::collection::vec;
use proptest::prelude::*;
use proptest::strategy::NewTree;
use proptest::test_runner::{TestCaseError, TestRunner};

use crate::testing::finding::Finding;
use crate::testing::forking::{Elsewhere, Outcome};
use crate::testing::lock::{Lock, WaitLimit};
use crate::testing::stress::{Stress, StressReport, Worker};

/// What one thread does next.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Step {
    /// Waits for the lock, and is in the section for so many microseconds.
    Acquire(u16),
    /// Takes the lock if it is free, for so many microseconds.
    Try(u16),
    /// Waits for so many microseconds at most.
    Timed(u16),
    /// Holds the lock, asks for it once more without waiting, and stays for so many microseconds: whatever the answer, it still holds it.
    Nested(u16),
    /// Does something else for so many microseconds.
    Pause(u16),
    /// Removes the lock file while holding the lock, as its very last act.
    Remove,
    /// Forks a child in the section, which leaves the program at once.
    Fork,
    /// Is killed in the section.
    Die,
}

/// A program: for each process, for each of its threads, what it does.
#[derive(Clone, PartialEq, Eq)]
pub struct Program {
    processes: Vec<Vec<Vec<Step>>>,
}

impl std::fmt::Debug for Program {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        for (process, threads) in self.processes.iter().enumerate() {
            for (thread, steps) in threads.iter().enumerate() {
                write!(f, "\n  process {process}, thread {thread}: {steps:?}")?;
            }
        }
        Ok(())
    }
}

/// Programs of so many processes, threads in each, and steps in each thread. Steps that need a lock file or offers that the lock does
/// not have are passed over when they are run.
pub fn programs(
    processes: RangeInclusive<usize>,
    threads: RangeInclusive<usize>,
    steps: RangeInclusive<usize>,
) -> impl Strategy<Value = Program> {
    let step = prop_oneof![
        8 => (0..50u16).prop_map(Step::Acquire),
        3 => (0..50u16).prop_map(Step::Try),
        3 => (0..500u16).prop_map(Step::Timed),
        2 => (0..50u16).prop_map(Step::Nested),
        3 => (0..200u16).prop_map(Step::Pause),
        2 => Just(Step::Remove),
        1 => Just(Step::Fork),
        1 => Just(Step::Die),
    ];
    let programs =
        vec(vec(vec(step, steps), threads), processes).prop_map(|processes| Program { processes });
    RunElsewhere(programs)
}

/// A strategy that gives nothing in a process that may not fork, if the test has failed in the process that was started for it.
///
/// An error of the strategy ends the test without a minimal input, which would be another one than that of the other process.
#[derive(Clone, Debug)]
struct RunElsewhere<S>(S);

impl<S: Strategy> Strategy for RunElsewhere<S> {
    type Tree = S::Tree;
    type Value = S::Value;

    fn new_tree(&self, runner: &mut TestRunner) -> NewTree<Self> {
        match Elsewhere::run() {
            Ok(Elsewhere::Here | Elsewhere::Passed) => self.0.new_tree(runner),
            Ok(Elsewhere::Failed(said)) => Err(failed_elsewhere(&said).into()),
            Err(error) => Err(format!("the test cannot be run in another process: {error}").into()),
        }
    }
}

fn failed_elsewhere(said: &str) -> String {
    format!("it failed in the process that was started for it:\n{said}")
}

/// What came of a program.
#[derive(Clone, Debug)]
pub struct Ran(Option<StressReport>);

impl Ran {
    /// Whether never two were in the section, and every answer was right. A program that enters none is none that could fail.
    pub fn is_exclusive(&self) -> bool {
        !self.verdict().is_violated()
    }

    /// The verdict, with the evidence.
    pub fn verdict(&self) -> Finding {
        match &self.0 {
            None => Finding::Held,
            Some(report) => report.verdict(),
        }
    }
}

/// So often a smaller program than one that failed is run.
const REPETITIONS: usize = 5;

impl Program {
    /// Runs it on the lock, in processes forked for it.
    ///
    /// # Errors
    /// If the processes cannot be started, or one hung or failed: an error of the test case, for `?` in `proptest!`.
    pub fn run(&self, lock: &impl Lock) -> Result<Ran, TestCaseError> {
        match Elsewhere::run().map_err(|error| TestCaseError::fail(error.to_string()))? {
            Elsewhere::Here => self.run_here(lock),
            Elsewhere::Passed => Ok(Ran(None)),
            Elsewhere::Failed(said) => panic!("{}", failed_elsewhere(&said)),
        }
    }

    fn run_here(&self, lock: &impl Lock) -> Result<Ran, TestCaseError> {
        if let Some(breach) = exercised_once(lock) {
            return Err(TestCaseError::fail(breach));
        }
        thread_local!(static ONE_HAS_FAILED: Cell<bool> = const { Cell::new(false) });
        let repetitions = if ONE_HAS_FAILED.get() { REPETITIONS } else { 1 };
        let ran = (1..repetitions).try_for_each(|_| self.run_once(lock).map(drop));
        let ran = ran.and_then(|()| self.run_once(lock));
        ONE_HAS_FAILED.set(ONE_HAS_FAILED.get() || ran.is_err());
        ran
    }

    fn run_once(&self, lock: &impl Lock) -> Result<Ran, TestCaseError> {
        let threads = self.processes.iter().map(Vec::len).max().unwrap_or(1);
        let report = Stress::new()
            .processes(self.processes.len())
            .threads(threads)
            .sections(1)
            .room(
                self.processes
                    .iter()
                    .flatten()
                    .map(Vec::len)
                    .max()
                    .unwrap_or(0),
            )
            .run_on(lock, |worker| {
                let (process, thread) = (
                    worker.number() as usize / threads,
                    worker.number() as usize % threads,
                );
                for step in self.processes[process].get(thread).into_iter().flatten() {
                    step.run(lock, worker);
                }
            });
        failure_of(&report).map_or(Ok(()), |why| {
            Err(TestCaseError::fail(format!("{why}{self:?}")))
        })?;
        Ok(Ran(Some(report)))
    }
}

/// Some things show only in many sections: the first program of a test is preceded by an exercise of the lock. What that finds no program
/// is needed for, and every other one of the test fails with it as well.
fn exercised_once(lock: &impl Lock) -> Option<String> {
    thread_local!(static FOUND: RefCell<Option<Option<String>>> = const { RefCell::new(None) });
    if let Some(found) = FOUND.with_borrow(Clone::clone) {
        return found;
    }
    let report = Stress::new().exercise(lock);
    let found = failure_of(&report).map(|why| {
        format!("{why}\n  this needs no program: the lock is exercised before the first one")
    });
    FOUND.set(Some(found.clone()));
    found
}

/// What a run holds against the lock, or against the program.
fn failure_of(report: &StressReport) -> Option<String> {
    if let Finding::Violated(story) = report.verdict() {
        return Some(format!("{}\n{story}", report.headline()));
    }
    let failed = |outcome: &&Outcome| !matches!(outcome, Outcome::Done | Outcome::Killed(_));
    let outcome = report.outcomes().iter().find(failed)?;
    Some(format!("a process {outcome}{}", report.errors()))
}

impl Step {
    fn run(self, lock: &impl Lock, worker: &Worker<'_>) {
        let microseconds = |time: u16| Duration::from_micros(u64::from(time));
        let enter_and = |limit, section: &dyn Fn(), last_act: &dyn Fn()| {
            let answer = worker.attempt_with(lock, limit, section, last_act);
            if let Err(error) = answer {
                panic!("{self:?}: {error}");
            }
        };
        let enter = |limit, section: &dyn Fn()| enter_and(limit, section, &|| ());
        match self {
            Step::Acquire(time) => enter(WaitLimit::Forever, &|| busy_for(microseconds(time))),
            Step::Try(time) => enter(WaitLimit::NoWait, &|| busy_for(microseconds(time))),
            Step::Timed(time) => enter(WaitLimit::AtMost(microseconds(time)), &|| ()),
            Step::Nested(time) => enter(WaitLimit::Forever, &|| {
                let _ = lock.run(WaitLimit::NoWait, &mut || ());
                busy_for(microseconds(time));
            }),
            Step::Pause(time) => std::thread::sleep(microseconds(time)),
            Step::Remove => {
                if let Some(file) = lock.file() {
                    let remove = || drop(fs::remove_file(&file));
                    enter_and(WaitLimit::Forever, &|| (), &remove);
                }
            }
            Step::Fork => enter(WaitLimit::Forever, &|| {
                // SAFETY: the child leaves at once by _exit and touches nothing.
                match unsafe { nix::unistd::fork() } {
                    // SAFETY: ends the child.
                    Ok(nix::unistd::ForkResult::Child) => unsafe { libc::_exit(0) },
                    Ok(nix::unistd::ForkResult::Parent { child }) => {
                        let _ = nix::sys::wait::waitpid(child, None);
                    }
                    Err(_) => {}
                }
            }),
            Step::Die => enter(WaitLimit::Forever, &|| worker.die()),
        }
    }
}

fn busy_for(time: Duration) {
    let until = std::time::Instant::now() + time;
    while std::time::Instant::now() < until {
        std::hint::spin_loop();
    }
}
