//! Locks as the harness sees them, of whatever make.

mod guarantee;

use std::error::Error;
use std::path::PathBuf;
use std::time::Duration;

pub use guarantee::Guarantee;

/// A lock between processes, of whatever make.
pub trait Lock: Sync {
    /// Runs `section` under the lock.
    ///
    /// # Errors
    /// Whatever made it impossible, except that the lock was held.
    fn run(&self, patience: Patience, section: &mut dyn FnMut()) -> Result<Answer, Box<dyn Error>>;

    /// Whether its author promises the guarantee; what is not promised is not tried.
    fn promises(&self, guarantee: Guarantee) -> bool {
        let _ = guarantee;
        true
    }

    /// Its lock file, if it has one: what is reopened and removed in the trials.
    fn file(&self) -> Option<PathBuf> {
        None
    }
}

/// For how long a lock is to be waited for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Patience {
    /// As long as it takes.
    Forever,
    /// Not at all.
    None,
    /// So long.
    AtMost(Duration),
}

/// What became of an attempt.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Answer {
    /// The section ran.
    Ran,
    /// The lock was held.
    Busy,
    /// The lock was held until the time was over.
    TimedOut,
    /// The lock does not offer this kind of patience.
    Unsupported,
}

/// Locks behind references take part as well.
impl<L: Lock> Lock for &L {
    fn run(&self, patience: Patience, section: &mut dyn FnMut()) -> Result<Answer, Box<dyn Error>> {
        (**self).run(patience, section)
    }

    fn promises(&self, guarantee: Guarantee) -> bool {
        (**self).promises(guarantee)
    }

    fn file(&self) -> Option<PathBuf> {
        (**self).file()
    }
}
