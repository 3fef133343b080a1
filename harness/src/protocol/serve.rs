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

/// One slot: what a thread does with the lock.
pub trait Slot {
    /// Takes the lock, however long it takes.
    ///
    /// # Errors
    /// What the library says; its text is shown to the user.
    fn acquire(&mut self) -> Result<(), Box<dyn Error>>;

    /// Takes the lock if it is free, and says whether.
    ///
    /// # Errors
    /// What the library says.
    fn try_acquire(&mut self) -> Result<bool, Box<dyn Error>>;

    /// Gives it back.
    ///
    /// # Errors
    /// What the library says.
    fn release(&mut self) -> Result<(), Box<dyn Error>>;

    /// Takes it within this time, and says whether; for [`Capability::Timeout`].
    ///
    /// # Errors
    /// What the library says.
    fn acquire_timeout(&mut self, _time: Duration) -> Result<bool, Box<dyn Error>> {
        Err("unsupported".into())
    }

    /// Takes it shared, or tries to, and says whether; for [`Capability::Shared`].
    ///
    /// # Errors
    /// What the library says.
    fn read(&mut self, _wait: bool) -> Result<bool, Box<dyn Error>> {
        Err("unsupported".into())
    }

    /// Does what only some locks can; nothing if this one cannot.
    fn other(&mut self, _verb: Verb) -> Option<Result<(), Box<dyn Error>>> {
        None
    }
}

/// An error with a word of its own in the protocol.
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

/// Says `ready` and obeys until the input ends. Each slot lives in a thread of its own, unless there is only one.
///
/// # Errors
/// If standard input or output fails.
pub fn serve<S: Slot + 'static>(
    offers: &[Capability],
    make: impl Fn(usize) -> S + Send + Sync + 'static,
) -> io::Result<()> {
    let threads: usize = std::env::var("LOCKUTILS_THREADS")
        .ok()
        .and_then(|n| n.parse().ok())
        .unwrap_or(1);
    let zygote = (threads <= 1).then_some(Capability::Zygote);
    let offers: Capabilities = offers.iter().copied().chain(zygote).collect();
    say(format_args!("{offers}"))?;
    let lines = io::stdin().lock().lines();
    let lines = lines.map_while(Result::ok);
    if threads <= 1 {
        return obey_alone(&offers, lines, make);
    }
    let make = std::sync::Arc::new(make);
    let slots: Vec<_> = (0..threads)
        .map(|number| {
            let (sender, receiver) = channel();
            let make = std::sync::Arc::clone(&make);
            thread::spawn(move || obey(number, make(number), &receiver));
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
    // Threads that wait for the lock would keep us here.
    std::process::exit(0)
}

/// One slot, in the thread that there is; a fresh process for each `* fork`.
fn obey_alone<S: Slot>(
    offers: &Capabilities,
    lines: impl Iterator<Item = String>,
    make: impl Fn(usize) -> S,
) -> io::Result<()> {
    let mut slot = None;
    for line in lines {
        match line.as_str() {
            // SAFETY: this process has one thread, so the child can go on as if nothing had happened.
            "* fork" => match unsafe { nix::unistd::fork() }? {
                nix::unistd::ForkResult::Child => {
                    slot = Some(make(0));
                    say(format_args!("{offers}"))?;
                }
                nix::unistd::ForkResult::Parent { child } => {
                    nix::sys::wait::waitpid(child, None)?;
                    say(format_args!("{offers}"))?;
                }
            },
            "* quit" => break,
            line => {
                let slot = slot.get_or_insert_with(|| make(0));
                answer(0, slot, line.strip_prefix("0 ").unwrap_or(line))?;
            }
        }
    }
    Ok(())
}

fn obey(number: usize, mut slot: impl Slot, commands: &Receiver<String>) {
    while let Ok(text) = commands.recv() {
        if answer(number, &mut slot, &text).is_err() {
            return;
        }
    }
}

fn answer(number: usize, slot: &mut impl Slot, text: &str) -> io::Result<()> {
    let answer = match text.parse() {
        Ok(verb) => act(slot, verb),
        Err(()) => Answer::Unsupported,
    };
    say(format_args!("{number} {answer}"))
}

fn act(slot: &mut impl Slot, verb: Verb) -> Answer {
    let done = match verb {
        Verb::Acquire => slot.acquire().map(|()| Answer::Acquired),
        Verb::Try => slot
            .try_acquire()
            .map(|got| if got { Answer::Acquired } else { Answer::Busy }),
        Verb::AcquireTimeout(ms) => slot.acquire_timeout(Duration::from_millis(ms)).map(|got| {
            if got {
                Answer::Acquired
            } else {
                Answer::TimedOut
            }
        }),
        Verb::Read | Verb::TryRead => slot
            .read(verb == Verb::Read)
            .map(|got| if got { Answer::Acquired } else { Answer::Busy }),
        Verb::Release => slot.release().map(|()| Answer::Released),
        Verb::Remove => match slot.other(verb) {
            Some(done) => done.map(|()| Answer::Removed),
            None => Ok(Answer::Unsupported),
        },
        Verb::ForkRelease | Verb::ForkExit | Verb::Reopen | Verb::KillWrapper => {
            match slot.other(verb) {
                Some(done) => done.map(|()| Answer::Done),
                None => Ok(Answer::Unsupported),
            }
        }
    };
    done.unwrap_or_else(|error| match error.downcast_ref() {
        Some(Failure::Lost(why)) => Answer::Lost(why.clone()),
        None => Answer::Error(error.to_string()),
    })
}

fn say(line: fmt::Arguments<'_>) -> io::Result<()> {
    let mut out = io::stdout().lock();
    // As a whole, so that the lines of two threads do not mix.
    out.write_all(format!("{line}\n").as_bytes())?;
    out.flush()
}
