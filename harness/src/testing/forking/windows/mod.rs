//! Worker processes without fork(2): the test program, executed again for each of them.

mod question;

use std::cell::Cell;
use std::env;
use std::fs::{File, OpenOptions};
use std::io;
use std::path::PathBuf;
use std::process::{self, Command, Stdio};
use std::thread::sleep;
use std::time::{Duration, Instant};

use oslo_concurrency::lockutils;

use super::ended::Ended;
use crate::sys::{Inherited, Job, KILLED, directory, inherited};
use crate::testing::witness::{Shape, Witness};

pub(super) use question::serve as serve_questions;
#[cfg(feature = "proptest")]
pub(crate) use whole_test::{WholeTest, run as whole_test};

/// The lock path of the run, for its workers.
const LOCK_PATH: &str = "LOCKUTILS_HARNESS_LOCK_PATH";

thread_local! {
    /// Number of runs that the test of this thread has begun.
    static RUNS: Cell<usize> = const { Cell::new(0) };
}

/// Returns `true` if another test process executed this one. That process holds the locks of the
/// test's fixtures.
#[cfg(feature = "rstest")]
pub(crate) fn is_executed_for_a_run() -> bool {
    inherited().is_some()
}

/// Runs `work` and returns the report of it. `work` returns the standard error of its processes.
///
/// A process that was executed for this run becomes its worker there, and then leaves the test. One
/// that was executed for a later run only reads what this one has left.
pub(crate) fn run<R>(
    shape: Shape,
    work: &dyn Fn(&Witness) -> io::Result<String>,
    report: &dyn Fn(&Witness, String) -> R,
) -> io::Result<R> {
    let number = RUNS.replace(RUNS.get() + 1);
    let witness = Witness::new(shape)?;
    let errors = match inherited() {
        Some(inherited) if number < inherited.run => {
            let errors = std::fs::read(errors_of(number)?)?;
            String::from_utf8_lossy(&errors).into_owned()
        }
        Some(_) => {
            work(&witness)?;
            leave()
        }
        None => work(&witness)?,
    };
    let report = report(&witness, errors);
    witness.keep_open(); // for the processes of later runs
    Ok(report)
}

/// Ends the test in a process executed for one run, and drops its fixtures.
fn leave() -> ! {
    std::panic::resume_unwind(Box::new(
        "this process was executed for one run, which has ended",
    ))
}

/// The standard error of all processes of a run.
fn errors_of(run: usize) -> io::Result<PathBuf> {
    Ok(directory()?.join(format!("errors-{run}")))
}

/// The number of this worker process and the lock path of the run, if it was executed as one.
pub(super) fn this_worker() -> Option<(usize, Option<PathBuf>)> {
    let lock_path = env::var_os(LOCK_PATH).map(PathBuf::from);
    inherited().map(|inherited| (inherited.process, lock_path))
}

/// An executed process, until its end was seen.
#[derive(Debug)]
pub(super) struct Child(process::Child);

impl Child {
    pub(super) fn id(&self) -> u32 {
        self.0.id()
    }

    /// The end of the process. One that reached the run panics in the end, so a status of 0 belongs
    /// to a test that did not reach it.
    pub(super) fn ended(&mut self) -> Option<Ended> {
        let status = self.0.try_wait().ok()??;
        Some(match status.code() {
            Some(0) => Ended::Missed,
            Some(code) if code.cast_unsigned() == KILLED => Ended::Killed(9),
            Some(code) => Ended::Exited(code),
            None => Ended::Missed,
        })
    }

    /// Kills it and waits for its end.
    pub(super) fn kill(mut self) {
        crate::sys::kill(self.0.id());
        let _ = self.0.wait();
    }
}

/// Executes the worker processes of one run.
#[derive(Debug)]
pub(super) struct Team {
    /// All processes end with the run.
    job: Job,
    errors: File,
    run: usize,
    /// The number of the process that answers [questions](Team::ask).
    respondent: usize,
    answers: Option<Child>,
}

impl Team {
    pub(super) fn new(witness: &Witness) -> io::Result<Self> {
        let run = RUNS.get().saturating_sub(1);
        Ok(Team {
            job: Job::new()?,
            errors: OpenOptions::new()
                .create(true)
                .append(true)
                .open(errors_of(run)?)?,
            run,
            respondent: witness.shape().processes,
            answers: None,
        })
    }

    /// Executes the test program as this process of the run. `_life` is what it does there: it
    /// finds that by running the test.
    pub(super) fn start(&mut self, process: usize, _life: &dyn Fn() -> i32) -> io::Result<Child> {
        let thread = std::thread::current();
        let test = thread.name().unwrap_or_default();
        let mut command = Command::new(env::current_exe()?);
        match test {
            "" => {
                return Err(io::Error::other(
                    "the name of the test is unknown: start the run from the thread of the test \
                     itself",
                ));
            }
            // A program that is no test.
            "main" => command.args(env::args_os().skip(1)),
            test => command.args([
                "--exact",
                test,
                "--nocapture",
                "--include-ignored",
                "--test-threads=1",
            ]),
        };
        let part = Inherited {
            run: self.run,
            process,
            directory: directory()?,
        };
        let (name, value) = part.variable(test);
        command.env(name, value);
        if let Some(lock_path) = lockutils::get_lock_path() {
            command.env(LOCK_PATH, lock_path);
        }
        let child = command
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(self.errors.try_clone()?)
            .spawn()?;
        let added = self.job.add(&child);
        let mut child = Child(child);
        if let Err(error) = added
            && child.ended().is_none()
        {
            child.kill();
            return Err(error);
        }
        Ok(child)
    }

    /// Asks the process that answers questions to try the lock. Returns its answer, or `None` if it
    /// gives none in this time; `failed` if it cannot be executed or has ended.
    pub(super) fn ask(
        &mut self,
        witness: &Witness,
        _try_lock: &dyn Fn() -> i32,
        limit: Duration,
        failed: i32,
    ) -> Option<i32> {
        /// Time within which the process must reach the run.
        const START_UP: Duration = Duration::from_secs(60);
        if self.answers.is_none() {
            match self.start(self.respondent, &|| 0) {
                Ok(child) => self.answers = Some(child),
                Err(_) => return Some(failed),
            }
        }
        let mut child = self.answers.take()?;
        let mut until = Instant::now() + START_UP;
        let question = question::put(witness);
        let mut heard = false;
        loop {
            if let Some(answer) = question::answer(witness, question) {
                self.answers = Some(child);
                return Some(answer);
            }
            if child.ended().is_some() {
                return Some(failed);
            }
            if !heard && question::is_heard(witness, question) {
                (heard, until) = (true, Instant::now() + limit);
            }
            if Instant::now() >= until {
                child.kill();
                return if heard { None } else { Some(failed) };
            }
            sleep(Duration::from_micros(200));
        }
    }

    /// The standard error of the processes.
    pub(super) fn errors(mut self) -> String {
        /// Time within which the process that answers questions should leave the test on its own,
        /// so that its fixtures clean up.
        const LEAVES_WITHIN: Duration = Duration::from_secs(2);
        let until = Instant::now() + LEAVES_WITHIN;
        if let Some(child) = &mut self.answers {
            while child.ended().is_none() && Instant::now() < until {
                sleep(Duration::from_millis(1));
            }
        }
        let errors = errors_of(self.run).and_then(std::fs::read);
        drop(self);
        String::from_utf8_lossy(&errors.unwrap_or_default()).into_owned()
    }
}

#[cfg(feature = "proptest")]
mod whole_test {
    use std::io;

    use crate::sys::{Means, lacks};

    /// The outcome of the current test in a process of its own.
    #[derive(Clone, Debug)]
    #[expect(dead_code, reason = "the variants of systems with fork(2)")]
    pub(crate) enum WholeTest {
        /// Not needed: this process may fork.
        Here,
        /// The test passed there.
        Passed,
        /// The test failed there, with this standard error.
        Failed(String),
    }

    /// Fails: each process would make programs of its own.
    pub(crate) fn run() -> io::Result<WholeTest> {
        Err(lacks(Means::Fork).map_or_else(|| io::ErrorKind::Unsupported.into(), io::Error::from))
    }
}
