//! Which guarantees a lock keeps: for the authors of locks.
//!
//! A lock takes part by implementing [`Lock`]. [`lock_conformance!`](crate::lock_conformance) makes a test of each guarantee, [`examine`] gives
//! the verdicts for a table.
//!
//! ```
//! use lockutils_harness::conformance::{Answer, Guarantee, Lock, Patience};
//! use lockutils_harness::verdict::Verdict;
//!
//! struct Nothing;
//!
//! impl Lock for Nothing {
//!     fn run(&self, _: Patience, section: &mut dyn FnMut()) -> Result<Answer, Box<dyn std::error::Error>> {
//!         section();
//!         Ok(Answer::Ran)
//!     }
//! }
//!
//! let directory = tempfile::tempdir().unwrap();
//! let verdict = Guarantee::Processes.examine(directory.path(), &|_| Nothing);
//! assert!(verdict.is_violated());
//! ```

mod guarantee;
mod ours;
mod trials;

use std::error::Error;
use std::path::{Path, PathBuf};
use std::time::Duration;

pub use guarantee::Guarantee;
pub use ours::Oslo;

use crate::verdict::{Unknown, Verdict};

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

/// The verdict for each guarantee; what the lock does not promise is not tried.
pub fn examine<L: Lock>(
    directory: &Path,
    make: &(dyn Fn(&Path) -> L + Sync),
) -> Vec<(Guarantee, Verdict)> {
    let verdict = |guarantee: Guarantee| {
        if !make(directory).promises(guarantee) {
            return Verdict::NotKnown(Unknown::NotPromised);
        }
        let directory = directory.join(guarantee.word().replace(' ', "-"));
        guarantee.examine(&directory, make)
    };
    Guarantee::ALL
        .iter()
        .map(|&guarantee| (guarantee, verdict(guarantee)))
        .collect()
}

/// Passes unless the guarantee is promised and not kept; tells if it is not promised.
///
/// # Panics
/// With the evidence if it is not kept, or with the reason if that could not be found out.
#[track_caller]
pub fn assert_kept<L: Lock>(guarantee: Guarantee, make: &(dyn Fn(&Path) -> L + Sync)) {
    let directory = tempfile::tempdir().unwrap_or_else(|error| panic!("no directory: {error}"));
    if !make(directory.path()).promises(guarantee) {
        eprintln!("{}: not promised, not tried", guarantee.word());
        return;
    }
    let verdict = guarantee.examine(directory.path(), make);
    assert!(verdict.is_held(), "{}: {verdict}", guarantee.word());
}

/// Makes a module with one test for each [`Guarantee`]: `lock_conformance!(my_lock, |directory| MyLock::new(directory));`
///
/// A guarantee that the lock does not promise is told as such on standard error.
#[macro_export]
macro_rules! lock_conformance {
    ($name:ident, $make:expr) => {
        mod $name {
            #[allow(unused_imports)]
            use super::*;
            use $crate::conformance::{Guarantee, assert_kept};

            $crate::lock_conformance!(@tests $make;
                processes Processes, threads Threads, death Death, reopening Reopening,
                forked_release ForkedRelease, forked_survivor ForkedSurvivor,
                forked_locking ForkedLocking, executed Executed, removal Removal, timeout Timeout,
                given_up GivenUp, signals Signals, panic Panic, fairness Fairness, refusal Refusal);
        }
    };
    (@tests $make:expr; $($test:ident $guarantee:ident),*) => {
        $(
            #[test]
            fn $test() {
                assert_kept(Guarantee::$guarantee, &$make);
            }
        )*
    };
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
