//! Requests of the driver.

use std::fmt;
use std::str::FromStr;

/// A request to one slot of a worker.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verb {
    /// Acquire the lock, without a time limit.
    Acquire,
    /// Acquire it if it is free.
    Try,
    /// Acquire it within this number of milliseconds.
    AcquireTimeout(u64),
    /// Acquire it shared, without a time limit.
    Read,
    /// Acquire it shared unless it is held exclusively.
    TryRead,
    /// Release it.
    Release,
    /// Remove the lock's files, by the library's own means.
    Remove,
    /// While holding it: fork a child that releases its copy of the lock.
    ForkRelease,
    /// While holding it: fork a child that exits as a program does.
    ForkExit,
    /// While holding it: open and close the lock file once more.
    Reopen,
    /// While holding it: kill the wrapper, but not the command that it runs.
    KillWrapper,
}

impl Verb {
    /// Returns `true` if the answer may be `acquired`.
    pub fn asks(self) -> bool {
        matches!(
            self,
            Verb::Acquire | Verb::Try | Verb::AcquireTimeout(_) | Verb::Read | Verb::TryRead
        )
    }

    /// Returns `true` if others may hold the lock shared at the same time.
    pub fn is_shared(self) -> bool {
        matches!(self, Verb::Read | Verb::TryRead)
    }
}

impl fmt::Display for Verb {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Verb::Acquire => "acquire",
            Verb::Try => "try",
            Verb::AcquireTimeout(ms) => return write!(f, "acquire-timeout {ms}"),
            Verb::Read => "read",
            Verb::TryRead => "try-read",
            Verb::Release => "release",
            Verb::Remove => "remove",
            Verb::ForkRelease => "fork-release",
            Verb::ForkExit => "fork-exit",
            Verb::Reopen => "reopen",
            Verb::KillWrapper => "kill-wrapper",
        })
    }
}

impl FromStr for Verb {
    type Err = ();

    fn from_str(text: &str) -> Result<Self, ()> {
        let mut words = text.split_whitespace();
        let verb = match words.next().ok_or(())? {
            "acquire" => Verb::Acquire,
            "try" => Verb::Try,
            "acquire-timeout" => {
                Verb::AcquireTimeout(words.next().and_then(|ms| ms.parse().ok()).ok_or(())?)
            }
            "read" => Verb::Read,
            "try-read" => Verb::TryRead,
            "release" => Verb::Release,
            "remove" => Verb::Remove,
            "fork-release" => Verb::ForkRelease,
            "fork-exit" => Verb::ForkExit,
            "reopen" => Verb::Reopen,
            "kill-wrapper" => Verb::KillWrapper,
            _ => return Err(()),
        };
        words.next().is_none().then_some(verb).ok_or(())
    }
}
