//! One process of an exploration, which calls the body when it is told to.

use std::cell::{Cell, RefCell};
use std::env;
use std::io::{BufRead, Lines, StdinLock, stdin};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};

use nix::libc;
use nix::sys::wait::waitpid;
use nix::unistd::{ForkResult, fork, write};
use oslo_concurrency::lockutils::scope::LockPathScope;

/// What the body of an exploration is given.
#[derive(Debug)]
pub struct Party {
    directory: PathBuf,
    number: usize,
    lines: RefCell<Lines<StdinLock<'static>>>,
    was_inside: Cell<bool>,
}

impl Party {
    /// The directory in which the lock is to lie: what happens elsewhere is not scheduled.
    pub fn directory(&self) -> &Path {
        &self.directory
    }

    /// Its number, from 0.
    pub fn number(&self) -> usize {
        self.number
    }

    /// The critical section. It lasts until the scheduler ends it, and `work` is done in it.
    ///
    /// # Panics
    /// The second time in one call of the body.
    pub fn section<R>(&self, work: impl FnOnce() -> R) -> R {
        assert!(
            !self.was_inside.replace(true),
            "a body is in the section once"
        );
        say("0 acquired");
        let result = work();
        // Whatever the driver says now is `release`; at the end of input nobody is interested any more.
        if self.next().is_none() {
            leave();
        }
        result
    }

    fn next(&self) -> Option<String> {
        self.lines.borrow_mut().next()?.ok()
    }
}

/// Obeys the driver of the exploration until there is nothing more to do.
pub(super) fn serve(body: &dyn Fn(&Party)) -> ! {
    let variable = |name| env::var(name).unwrap_or_default();
    let party = Party {
        directory: PathBuf::from(variable("LOCKUTILS_DIR")),
        number: variable("LOCKUTILS_WORKER").parse().unwrap_or(0),
        lines: RefCell::new(stdin().lock().lines()),
        was_inside: Cell::new(false),
    };
    let _scope = LockPathScope::enter(&party.directory);
    // libtest has begun a line of its own.
    say("\nready zygote");
    while let Some(line) = party.next() {
        match line.as_str() {
            // SAFETY: the other thread of this process, libtest's, only waits for this one; what it holds is not needed in the child.
            "* fork" => match unsafe { fork() } {
                Ok(ForkResult::Child) => say("ready zygote"),
                Ok(ForkResult::Parent { child }) => {
                    let _ = waitpid(child, None);
                    say("ready zygote");
                }
                Err(_) => leave(),
            },
            "* quit" => leave(),
            "0 acquire" => {
                party.was_inside.set(false);
                let done = catch_unwind(AssertUnwindSafe(|| body(&party)));
                match (done, party.was_inside.get()) {
                    (Ok(()), true) => say("0 released"),
                    (Ok(()), false) => say("0 error the body was not in the section"),
                    (Err(panic), _) => say(&format!("0 error {}", message(&*panic))),
                }
            }
            _ => say("0 unsupported"),
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

/// Without the buffer of standard output, which libtest uses.
fn say(line: &str) {
    let _ = write(std::io::stdout(), format!("{line}\n").as_bytes());
}

fn leave() -> ! {
    // SAFETY: _exit(2) does nothing but end this process. libtest must not go on in it.
    unsafe { libc::_exit(0) }
}
