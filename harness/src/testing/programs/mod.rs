//! Random programs of lock operations for proptest, run for real and shrunk to the smallest that
//! still fails.
//!
//! ```
//! use lockutils_harness::prelude::*;
//! use lockutils_harness::testing::conformance::Oslo;
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
//! Programs fork, which is not safe in a test program with several threads. There the whole test
//! runs once in a process of its own and takes its outcome from it. That process also finds the
//! smallest failing program, and proptest writes its seed to the regression file there.
//!
//! Without fork(2), as on Windows, programs are not available: a test with one fails and says so.
//!
//! Programs run for real, so a program that fails may pass when it is run again. Once one has
//! failed, each smaller one is run several times and passes only if it passes every time. The final
//! program was observed to fail, with the violation that is shown.

use std::cell::{Cell, RefCell};
use std::fs;
use std::ops::RangeInclusive;
use std::time::Duration;

use proptest::collection::vec;
use proptest::prelude::*;
use proptest::strategy::NewTree;
use proptest::test_runner::{TestCaseError, TestRunner};

use crate::sys::{self, Side};
use crate::testing::finding::Finding;
use crate::testing::forking::{ProcessOutcome, WholeTest, whole_test};
use crate::testing::lock::{Lock, WaitLimit};
use crate::testing::stress::{Stress, StressReport, Worker};

/// A step of one thread of a [`Program`]. Numbers are microseconds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Step {
    /// Waits for the lock and holds it for this time.
    Acquire(u16),
    /// Acquires the lock if it is free and holds it for this time.
    Try(u16),
    /// Waits for the lock for no longer than this.
    Timed(u16),
    /// Holds the lock, tries to acquire it a second time, and holds it for this time: whatever the
    /// answer, it still holds the lock.
    Nested(u16),
    /// Does nothing for this time.
    Pause(u16),
    /// Removes the lock file while it holds the lock, just before the release.
    Remove,
    /// Forks a child in the section. The child exits at once.
    Fork,
    /// Kills its process in the section.
    Die,
}

/// A program of lock operations: the steps of each thread of each process.
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

/// A strategy for programs with these numbers of processes, threads per process and steps per
/// thread.
///
/// When a program runs, it skips steps that need a lock file, or a wait limit, that the lock does
/// not have.
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
    InOwnProcess(programs)
}

/// A strategy that fails in a process that may not fork, if the test has failed in a process of its
/// own. An error of the strategy ends the test without a minimal input, which would differ from the
/// one found there.
#[derive(Clone, Debug)]
struct InOwnProcess<S>(S);

impl<S: Strategy> Strategy for InOwnProcess<S> {
    type Tree = S::Tree;
    type Value = S::Value;

    fn new_tree(&self, runner: &mut TestRunner) -> NewTree<Self> {
        match whole_test() {
            Ok(WholeTest::Here | WholeTest::Passed) => self.0.new_tree(runner),
            Ok(WholeTest::Failed(errors)) => Err(failed_in_own_process(&errors).into()),
            Err(error) => {
                Err(format!("cannot run the test in a process of its own: {error}").into())
            }
        }
    }
}

fn failed_in_own_process(errors: &str) -> String {
    format!("the test failed in the process executed for it:\n{errors}")
}

/// The outcome of a [`Program`].
#[derive(Clone, Debug)]
pub struct ProgramOutcome(Option<StressReport>);

impl ProgramOutcome {
    /// Returns `true` if no violation was found: no overlap, and no wrong answer. A program that
    /// enters no section cannot fail.
    pub fn is_exclusive(&self) -> bool {
        !self.verdict().is_violated()
    }

    /// The verdict, with the evidence of a violation.
    pub fn verdict(&self) -> Finding {
        match &self.0 {
            None => Finding::Held,
            Some(report) => report.verdict(),
        }
    }
}

/// Number of runs of each program once another has failed.
const REPETITIONS: usize = 5;

impl Program {
    /// Runs the program with `lock`, in processes forked for it.
    ///
    /// # Errors
    /// Returns a failure of the test case, for `?` in `proptest!`, if the lock broke a rule, or if
    /// the processes cannot be started, were stuck or failed.
    ///
    /// # Panics
    /// Panics if the test failed in a process of its own.
    pub fn run(&self, lock: &impl Lock) -> Result<ProgramOutcome, TestCaseError> {
        match whole_test().map_err(|error| TestCaseError::fail(error.to_string()))? {
            WholeTest::Here => self.run_here(lock),
            WholeTest::Passed => Ok(ProgramOutcome(None)),
            WholeTest::Failed(errors) => panic!("{}", failed_in_own_process(&errors)),
        }
    }

    fn run_here(&self, lock: &impl Lock) -> Result<ProgramOutcome, TestCaseError> {
        if let Some(failure) = exercised_once(lock) {
            return Err(TestCaseError::fail(failure));
        }
        thread_local!(static HAS_FAILED: Cell<bool> = const { Cell::new(false) });
        let repetitions = if HAS_FAILED.get() { REPETITIONS } else { 1 };
        let ran = (1..repetitions).try_for_each(|_| self.run_once(lock).map(drop));
        let ran = ran.and_then(|()| self.run_once(lock));
        HAS_FAILED.set(HAS_FAILED.get() || ran.is_err());
        ran
    }

    fn run_once(&self, lock: &impl Lock) -> Result<ProgramOutcome, TestCaseError> {
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
        Ok(ProgramOutcome(Some(report)))
    }
}

/// Exercises the lock before the first program of a test, since some defects show only in many
/// sections. With such a defect every program of the test fails.
fn exercised_once(lock: &impl Lock) -> Option<String> {
    thread_local!(static FOUND: RefCell<Option<Option<String>>> = const { RefCell::new(None) });
    if let Some(found) = FOUND.with_borrow(Clone::clone) {
        return found;
    }
    let report = Stress::new().exercise(lock);
    let found = failure_of(&report).map(|why| {
        format!("{why}\n  found without a program: the lock is exercised before the first one")
    });
    FOUND.set(Some(found.clone()));
    found
}

/// The failure of the lock or of the program, if there is one.
fn failure_of(report: &StressReport) -> Option<String> {
    if let Finding::Violated(story) = report.verdict() {
        return Some(format!("{}\n{story}", report.headline()));
    }
    let failed = |outcome: &&ProcessOutcome| {
        !matches!(outcome, ProcessOutcome::Done | ProcessOutcome::Killed(_))
    };
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
                // SAFETY: the child only leaves.
                if let Ok(Side::Child) = unsafe { sys::fork_and_wait() } {
                    sys::exit_now(0);
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
