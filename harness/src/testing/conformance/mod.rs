//! Which guarantees a lock keeps: for the authors of locks.
//!
//! A lock takes part by implementing [`Lock`]. [`lock_conformance!`](crate::lock_conformance) makes a test of each guarantee, [`examine`] gives
//! the verdicts for a table.
//!
//! ```
//! use lockutils_harness::testing::conformance::{Answer, Guarantee, Lock, WaitLimit};
//! use lockutils_harness::testing::finding::Finding;
//!
//! struct Nothing;
//!
//! impl Lock for Nothing {
//!     fn run(&self, _: WaitLimit, section: &mut dyn FnMut()) -> Result<Answer, Box<dyn std::error::Error>> {
//!         section();
//!         Ok(Answer::Ran)
//!     }
//! }
//!
//! let directory = tempfile::tempdir().unwrap();
//! let verdict = Guarantee::Processes.examine(directory.path(), &|_| Nothing);
//! assert!(verdict.is_violated());
//! ```

mod apart;
mod load;
mod ours;
mod record;
mod trials;

use std::path::Path;

pub use ours::Oslo;

pub use crate::testing::lock::{Answer, Guarantee, Lock, WaitLimit};

use crate::testing::finding::{Finding, Unknown};

impl Guarantee {
    /// Tries whether the locks that `make` makes in `directory` keep it. Each process, and each of its threads, makes one of its own.
    pub fn examine<L: Lock>(self, directory: &Path, make: &(dyn Fn(&Path) -> L + Sync)) -> Finding {
        trials::examine(self, directory, make)
    }
}

/// The verdict for each guarantee; what the lock does not promise is not tried.
pub fn examine<L: Lock>(
    directory: &Path,
    make: &(dyn Fn(&Path) -> L + Sync),
) -> Vec<(Guarantee, Finding)> {
    let verdict = |guarantee: Guarantee| {
        if !make(directory).promises(guarantee) {
            return Finding::NotKnown(Unknown::NotPromised);
        }
        let directory = directory.join(guarantee.word().replace(' ', "-"));
        guarantee.examine(&directory, make)
    };
    Guarantee::ALL
        .iter()
        .map(|&guarantee| (guarantee, verdict(guarantee)))
        .collect()
}

/// Passes if the lock keeps the guarantee. What was not tried does not pass.
///
/// # Panics
/// With the evidence if it is not kept; with the reason if that is not known, also if the lock does not promise it.
#[track_caller]
pub fn assert_kept<L: Lock>(guarantee: Guarantee, make: &(dyn Fn(&Path) -> L + Sync)) {
    let directory = tempfile::tempdir().unwrap_or_else(|error| panic!("no directory: {error}"));
    let word = guarantee.word();
    assert!(
        make(directory.path()).promises(guarantee),
        "{word}: not known, since the lock does not promise it and it was not tried; name its test in \
         `not_promised: […]` of lock_conformance!, which then shows it as ignored"
    );
    let verdict = guarantee.examine(directory.path(), make);
    assert!(verdict.is_held(), "{word}: {verdict}");
}

/// Makes a module with one test for each [`Guarantee`]: `lock_conformance!(my_lock, |directory| MyLock::new(directory));`
///
/// A test passes only if its guarantee was tried and kept. What the lock does not promise ([`Lock::promises`]) is named as well, and its tests are
/// ignored: `lock_conformance!(my_lock, |directory| MyLock::new(directory), not_promised: [removal, fairness]);`. The names are those of the
/// tests: `processes`, `threads`, `death`, `reopening`, `forked_release`, `forked_survivor`, `forked_locking`, `executed`, `removal`, `timeout`,
/// `given_up`, `try_free`, `hand_over`, `progress`, `signals`, `panic`, `fairness` and `refusal`.
///
/// Each trial runs in a process of its own, so that the children of other tests, which have copies of all descriptors until they execute their
/// programs, keep no lock longer than its holder does.
#[macro_export]
macro_rules! lock_conformance {
    ($name:ident, $make:expr $(,)?) => {
        $crate::lock_conformance!($name, $make, not_promised: []);
    };
    ($name:ident, $make:expr, not_promised: [$($not:ident),* $(,)?] $(,)?) => {
        mod $name {
            #[allow(unused_imports)]
            use super::*;
            use $crate::testing::conformance::{Guarantee, assert_kept};

            $crate::lock_conformance!(@module ($) [$($not)*] $make;
                processes Processes, threads Threads, death Death, reopening Reopening,
                forked_release ForkedRelease, forked_survivor ForkedSurvivor,
                forked_locking ForkedLocking, executed Executed, removal Removal, timeout Timeout,
                given_up GivenUp, try_free Try, hand_over HandOver, progress Progress,
                signals Signals, panic Panic, fairness Fairness, refusal Refusal);
        }
    };
    (@module ($d:tt) [$($not:ident)*] $make:expr; $($test:ident $guarantee:ident),*) => {
        /// A name that is no test's does not compile.
        #[allow(dead_code, non_upper_case_globals)]
        mod names {
            $(pub const $test: () = ();)*
        }
        $(const _: () = names::$not;)*

        #[allow(unused_macro_rules)]
        macro_rules! test {
            $(($not $d guarantee:ident) => {
                #[test]
                #[ignore = "not promised by this lock: not tried"]
                fn $not() {
                    assert_kept(Guarantee::$d guarantee, &$make);
                }
            };)*
            ($d test:ident $d guarantee:ident) => {
                #[test]
                fn $d test() {
                    assert_kept(Guarantee::$d guarantee, &$make);
                }
            };
        }
        $(test!($test $guarantee);)*
    };
}
