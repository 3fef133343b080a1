//! The worker's side of the line protocol, for locks that are written in Rust.
//!
//! ```no_run
//! use std::error::Error;
//! use std::fs::File;
//! use lockutils_harness::protocol::serve::{Slot, serve};
//!
//! struct Flock(File);
//!
//! impl Slot for Flock {
//!     fn acquire(&mut self) -> Result<(), Box<dyn Error>> {
//!         Ok(self.0.lock()?)
//!     }
//!     fn try_acquire(&mut self) -> Result<bool, Box<dyn Error>> {
//!         Ok(self.0.try_lock().is_ok())
//!     }
//!     fn release(&mut self) -> Result<(), Box<dyn Error>> {
//!         Ok(self.0.unlock()?)
//!     }
//! }
//!
//! fn main() -> std::io::Result<()> {
//!     let path = std::path::Path::new(&std::env::var("LOCKUTILS_DIR").unwrap()).join("lock");
//!     serve(&[], move |_slot| Flock(File::create(&path).unwrap()))
//! }
//! ```

use std::error::Error;
use std::fmt;
use std::io::{self, BufRead, Write};
use std::sync::mpsc::{Receiver, channel};
use std::thread;
use std::time::Duration;

use crate::protocol::{Answer, Capabilities, Capability, Verb};
use crate::sys::{self, Means, Side};

/// A slot of a worker: uses the lock in one thread.
pub trait Slot {
    /// Acquires the lock, without a time limit.
    ///
    /// # Errors
    /// Returns the error of the library; the user sees its text.
    fn acquire(&mut self) -> Result<(), Box<dyn Error>>;

    /// Acquires the lock if it is free. Returns `true` if it did.
    ///
    /// # Errors
    /// Returns the error of the library.
    fn try_acquire(&mut self) -> Result<bool, Box<dyn Error>>;

    /// Releases the lock.
    ///
    /// # Errors
    /// Returns the error of the library.
    fn release(&mut self) -> Result<(), Box<dyn Error>>;

    /// Acquires the lock within this time. Returns `true` if it did; for [`Capability::Timeout`].
    ///
    /// # Errors
    /// Returns the error of the library.
    fn acquire_timeout(&mut self, _time: Duration) -> Result<bool, Box<dyn Error>> {
        Err("unsupported".into())
    }

    /// Acquires the lock shared, or tries to unless `wait`. Returns `true` if it did; for
    /// [`Capability::Shared`].
    ///
    /// # Errors
    /// Returns the error of the library.
    fn read(&mut self, _wait: bool) -> Result<bool, Box<dyn Error>> {
        Err("unsupported".into())
    }

    /// The fencing token of the lock, which this slot has just acquired; `None` if the lock gives none.
    fn fencing_token(&mut self) -> Option<u64> {
        None
    }

    /// Performs a verb that only some locks support; `None` if this one does not.
    fn other(&mut self, _verb: Verb) -> Option<Result<(), Box<dyn Error>>> {
        None
    }
}

/// An error with its own word in the protocol.
#[derive(Debug)]
pub enum Failure {
    /// The lock was lost while it was held.
    Lost(String),
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Failure::Lost(why) = self;
        f.write_str(why)
    }
}

impl Error for Failure {}

/// Writes `ready` and serves requests until the input ends. Each slot has its own thread, unless
/// there is only one.
///
/// # Errors
/// Returns an error if standard input or output fails.
pub fn serve<S: Slot + 'static>(
    offers: &[Capability],
    make: impl Fn(usize) -> S + Send + Sync + 'static,
) -> io::Result<()> {
    let threads: usize = std::env::var("LOCKUTILS_THREADS")
        .ok()
        .and_then(|n| n.parse().ok())
        .unwrap_or(1);
    let can_fork = threads <= 1 && sys::lacks(Means::Fork).is_none();
    let zygote = can_fork.then_some(Capability::Zygote);
    let offers: Capabilities = offers.iter().copied().chain(zygote).collect();
    write_line(format_args!("{offers}"))?;
    let lines = io::stdin().lock().lines();
    let lines = lines.map_while(Result::ok);
    if threads <= 1 {
        return serve_one_slot(&offers, lines, make);
    }
    let make = std::sync::Arc::new(make);
    let slots: Vec<_> = (0..threads)
        .map(|number| {
            let (sender, receiver) = channel();
            let make = std::sync::Arc::clone(&make);
            thread::spawn(move || serve_slot(number, make(number), &receiver));
            sender
        })
        .collect();
    for line in lines {
        let (number, text) = line.split_once(' ').unwrap_or((&line, ""));
        if let Some(slot) = number
            .parse()
            .ok()
            .and_then(|number: usize| slots.get(number))
        {
            let _ = slot.send(text.to_owned());
        }
    }
    // Threads that wait for the lock would keep the process alive.
    std::process::exit(0)
}

/// Serves one slot in the main thread; each `* fork` starts a fresh process.
fn serve_one_slot<S: Slot>(
    offers: &Capabilities,
    lines: impl Iterator<Item = String>,
    make: impl Fn(usize) -> S,
) -> io::Result<()> {
    let mut slot = None;
    for line in lines {
        match line.as_str() {
            "* fork" => {
                // SAFETY: this process has one thread, so the child may do anything that the
                // parent may.
                if unsafe { sys::fork_and_wait() }? == Side::Child {
                    slot = Some(make(0));
                }
                write_line(format_args!("{offers}"))?;
            }
            "* quit" => break,
            line => {
                let slot = slot.get_or_insert_with(|| make(0));
                answer(0, slot, line.strip_prefix("0 ").unwrap_or(line))?;
            }
        }
    }
    Ok(())
}

fn serve_slot(number: usize, mut slot: impl Slot, commands: &Receiver<String>) {
    while let Ok(text) = commands.recv() {
        if answer(number, &mut slot, &text).is_err() {
            return;
        }
    }
}

fn answer(number: usize, slot: &mut impl Slot, text: &str) -> io::Result<()> {
    let answer = match text.parse() {
        Ok(verb) => perform(slot, verb),
        Err(()) => Answer::Unsupported,
    };
    write_line(format_args!("{number} {answer}"))
}

fn perform(slot: &mut impl Slot, verb: Verb) -> Answer {
    let result = match verb {
        Verb::Acquire => slot.acquire().map(|()| acquired(slot)),
        Verb::Try => slot
            .try_acquire()
            .map(|got| if got { acquired(slot) } else { Answer::Busy }),
        Verb::AcquireTimeout(ms) => slot.acquire_timeout(Duration::from_millis(ms)).map(|got| {
            if got {
                acquired(slot)
            } else {
                Answer::TimedOut
            }
        }),
        Verb::Read | Verb::TryRead => slot
            .read(verb == Verb::Read)
            .map(|got| if got { acquired(slot) } else { Answer::Busy }),
        Verb::Release => slot.release().map(|()| Answer::Released),
        Verb::Remove => match slot.other(verb) {
            Some(result) => result.map(|()| Answer::Removed),
            None => Ok(Answer::Unsupported),
        },
        Verb::ForkRelease | Verb::ForkExit | Verb::Reopen | Verb::KillWrapper => {
            match slot.other(verb) {
                Some(result) => result.map(|()| Answer::Done),
                None => Ok(Answer::Unsupported),
            }
        }
    };
    result.unwrap_or_else(|error| match error.downcast_ref() {
        Some(Failure::Lost(why)) => Answer::Lost(why.clone()),
        None => Answer::Error(error.to_string()),
    })
}

fn acquired(slot: &mut impl Slot) -> Answer {
    Answer::Acquired(slot.fencing_token())
}

fn write_line(line: fmt::Arguments<'_>) -> io::Result<()> {
    let mut out = io::stdout().lock();
    // One write, so that the lines of two threads do not mix.
    out.write_all(format!("{line}\n").as_bytes())?;
    out.flush()
}
