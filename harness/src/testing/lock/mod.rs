//! The interface through which the harness uses a lock.

mod guarantee;

use std::error::Error;
use std::path::PathBuf;
use std::time::Duration;

pub use guarantee::Guarantee;

/// A lock between processes, of any implementation.
///
/// An implementation must be usable from several threads and, through a fork, from several
/// processes. The lock may be arbitrarily wrong: the harness exists to find that out.
///
/// ```
/// use std::error::Error;
/// use std::fs::File;
/// use std::path::PathBuf;
///
/// use lockutils_harness::testing::conformance::{Answer, Lock, WaitLimit};
///
/// struct Flock(PathBuf);
///
/// impl Lock for Flock {
///     fn run(
///         &self,
///         limit: WaitLimit,
///         section: &mut dyn FnMut(),
///     ) -> Result<Answer, Box<dyn Error>> {
///         let file = File::create(&self.0)?;
///         match limit {
///             WaitLimit::Forever => file.lock()?,
///             WaitLimit::NoWait if file.try_lock().is_err() => return Ok(Answer::Busy),
///             WaitLimit::NoWait => {}
///             WaitLimit::AtMost(_) => return Ok(Answer::Unsupported),
///         }
///         section();
///         Ok(Answer::Ran)
///     }
///
///     fn file(&self) -> Option<PathBuf> {
///         Some(self.0.clone())
///     }
/// }
/// ```
pub trait Lock: Sync {
    /// Acquires the lock, runs `section` and releases the lock.
    ///
    /// # Errors
    /// Returns any failure to acquire or release the lock. A lock held by another worker is not an
    /// error but an [`Answer`].
    /// an [`Answer`].
    fn run(&self, limit: WaitLimit, section: &mut dyn FnMut()) -> Result<Answer, Box<dyn Error>>;

    /// Returns `true` if the lock promises the guarantee; by default it promises all. Guarantees
    /// that it does not promise are not tried.
    fn promises(&self, guarantee: Guarantee) -> bool {
        let _ = guarantee;
        true
    }

    /// The lock file, if there is one. Trials reopen and remove it.
    fn file(&self) -> Option<PathBuf> {
        None
    }
}

/// Maximum time that an acquire may wait for the lock.
///
/// These are all the limits there are, so the enum is exhaustive.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum WaitLimit {
    /// Wait for as long as it takes.
    Forever,
    /// Do not wait: try-acquire.
    NoWait,
    /// Wait for no longer than this.
    AtMost(Duration),
}

/// The answer of a lock to one acquire.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Answer {
    /// The lock was acquired, the section ran, and the lock was released.
    Ran,
    /// The lock was held by another worker, and the limit was [`WaitLimit::NoWait`].
    Busy,
    /// The lock was held by others for the whole time of [`WaitLimit::AtMost`].
    TimedOut,
    /// The lock does not offer this wait limit.
    Unsupported,
}

/// A reference to a lock is a lock.
impl<L: Lock> Lock for &L {
    fn run(&self, limit: WaitLimit, section: &mut dyn FnMut()) -> Result<Answer, Box<dyn Error>> {
        (**self).run(limit, section)
    }

    fn promises(&self, guarantee: Guarantee) -> bool {
        (**self).promises(guarantee)
    }

    fn file(&self) -> Option<PathBuf> {
        (**self).file()
    }
}
