//! A worker process of an exploration, which calls the body on command of the driver.

use std::cell::{Cell, RefCell};
use std::env;
use std::io::{BufRead, Lines, StdinLock, stdin};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};

use oslo_concurrency::lockutils::scope::LockPathScope;

use crate::sys::{self, Side};

/// A worker process, from the point of view of the body of an exploration.
///
/// The body acquires the lock, calls [`section`](Self::section) once while it holds it, and
/// releases it.
#[derive(Debug)]
pub struct ExploreWorker {
    directory: PathBuf,
    number: usize,
    lines: RefCell<Lines<StdinLock<'static>>>,
    was_inside: Cell<bool>,
}

impl ExploreWorker {
    /// The directory for the files of the lock. System calls on other files are not scheduled.
    pub fn directory(&self) -> &Path {
        &self.directory
    }

    /// The number of this worker, from 0.
    pub fn number(&self) -> usize {
        self.number
    }

    /// Host and port of the server, if the exploration has one.
    pub fn server(&self) -> Option<String> {
        env::var("LOCKUTILS_SERVERS").ok()
    }

    /// Runs `work` as the critical section, which lasts until the scheduler ends it.
    ///
    /// # Panics
    /// Panics if it is called a second time in one call of the body.
    pub fn section<R>(&self, work: impl FnOnce() -> R) -> R {
        assert!(
            !self.was_inside.replace(true),
            "the body may enter the section only once"
        );
        respond("0 acquired");
        let result = work();
        // The next command can only be `release`. At the end of input the driver has ended.
        if self.next().is_none() {
            leave();
        }
        result
    }

    fn next(&self) -> Option<String> {
        self.lines.borrow_mut().next()?.ok()
    }
}

/// Carries out the commands of the driver until its end.
pub(super) fn serve(body: &dyn Fn(&ExploreWorker)) -> ! {
    let variable = |name| env::var(name).unwrap_or_default();
    let worker = ExploreWorker {
        directory: PathBuf::from(variable("LOCKUTILS_DIR")),
        number: variable("LOCKUTILS_WORKER").parse().unwrap_or(0),
        lines: RefCell::new(stdin().lock().lines()),
        was_inside: Cell::new(false),
    };
    let _scope = LockPathScope::enter(&worker.directory);
    // libtest has begun a line of its own.
    respond("\nready zygote");
    while let Some(line) = worker.next() {
        match line.as_str() {
            // SAFETY: the other thread of this process, libtest's, only waits for this one, and the
            // child needs nothing that it holds.
            "* fork" => match unsafe { sys::fork_and_wait() } {
                Ok(Side::Child | Side::Parent) => respond("ready zygote"),
                Err(_) => leave(),
            },
            "* quit" => leave(),
            "0 acquire" => {
                worker.was_inside.set(false);
                let done = catch_unwind(AssertUnwindSafe(|| body(&worker)));
                match (done, worker.was_inside.get()) {
                    (Ok(()), true) => respond("0 released"),
                    (Ok(()), false) => respond("0 error the body did not enter the section"),
                    (Err(panic), _) => respond(&format!("0 error {}", message(&*panic))),
                }
            }
            _ => respond("0 unsupported"),
        }
    }
    leave()
}

fn message(panic: &(dyn std::any::Any + Send)) -> String {
    let text = panic
        .downcast_ref::<String>()
        .map(String::as_str)
        .or_else(|| panic.downcast_ref::<&str>().copied());
    text.unwrap_or("a panic").replace('\n', " ")
}

/// Bypasses the buffer of standard output, which libtest uses.
fn respond(line: &str) {
    let _ = sys::write_to_standard_output(format!("{line}\n").as_bytes());
}

/// libtest must not continue in this process.
fn leave() -> ! {
    sys::exit_now(0)
}
