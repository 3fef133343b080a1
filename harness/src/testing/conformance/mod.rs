//! The conformance suite: the guarantees that a lock keeps.
//!
//! Implement [`Lock`] for the lock. [`lock_conformance!`](crate::lock_conformance) makes a test of
//! each guarantee, and [`examine`] returns all verdicts. A trial uses the lock in several
//! processes, kills some of them, and judges the record of all answers.
//!
//! ```
//! use std::error::Error;
//!
//! use lockutils_harness::testing::conformance::{Answer, Guarantee, Lock, WaitLimit};
//!
//! struct Nothing;
//!
//! impl Lock for Nothing {
//!     fn run(&self, _: WaitLimit, section: &mut dyn FnMut()) -> Result<Answer, Box<dyn Error>> {
//!         section();
//!         Ok(Answer::Ran)
//!     }
//! }
//!
//! let directory = tempfile::tempdir().unwrap();
//! let verdict = Guarantee::Processes.examine(directory.path(), &|_| Nothing);
//! assert!(verdict.is_violated());
//! ```

mod isolation;
mod load;
mod oslo;
mod record;
mod trials;

use std::path::Path;

pub use oslo::Oslo;

pub use crate::testing::lock::{Answer, Guarantee, Lock, WaitLimit};

use crate::testing::finding::{Finding, Unknown};

impl Guarantee {
    /// Tests whether the locks that `make` creates in `directory` keep this guarantee. Each thread
    /// of each worker process creates its own.
    ///
    /// Creates the directory if it is missing. The trial runs in a process of its own, which is
    /// started as by [`Stress::run`](crate::testing::stress::Stress::run).
    pub fn examine<L: Lock>(self, directory: &Path, make: &(dyn Fn(&Path) -> L + Sync)) -> Finding {
        trials::examine(self, directory, make)
    }
}

/// The verdict for each guarantee. Guarantees that the lock does not promise are not tried.
///
/// Each trial has a directory of its own in `directory`, which stays there.
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

/// Asserts that the lock keeps the guarantee.
///
/// # Panics
/// Panics with the evidence if the guarantee is violated, with the reason if the verdict is *not
/// known* (for instance if the lock does not promise it), and if no directory can be created.
#[track_caller]
pub fn assert_kept<L: Lock>(guarantee: Guarantee, make: &(dyn Fn(&Path) -> L + Sync)) {
    let directory =
        tempfile::tempdir().unwrap_or_else(|error| panic!("cannot create a directory: {error}"));
    let word = guarantee.word();
    assert!(
        make(directory.path()).promises(guarantee),
        "{word}: not known, since the lock does not promise it and it was not tried; name its test \
         in `not_promised: […]` of lock_conformance!, which then shows it as ignored"
    );
    let verdict = guarantee.examine(directory.path(), make);
    assert!(verdict.is_held(), "{word}: {verdict}");
}

/// Makes a module with one test for each [`Guarantee`](crate::testing::conformance::Guarantee).
///
/// ```
/// use lockutils_harness::lock_conformance;
/// use lockutils_harness::testing::conformance::Oslo;
///
/// lock_conformance!(
///     my_lock,
///     |directory: &std::path::Path| Oslo::new(directory),
///     not_promised: [fairness]
/// );
/// # fn main() {}
/// ```
///
/// A test passes only if its guarantee was tried and kept. Guarantees that the lock does not
/// promise ([`Lock::promises`](crate::testing::conformance::Lock::promises)) are listed in
/// `not_promised`, and their tests are ignored. The names of the tests are `processes`, `threads`,
/// `death`, `reopening`, `forked_release`, `forked_survivor`, `forked_locking`, `executed`,
/// `removal`, `timeout`, `given_up`, `try_free`, `hand_over`, `progress`, `signals`, `panic`,
/// `fairness` and `refusal`.
///
/// Each trial runs in a process of its own: between fork and exec the children of other tests have
/// copies of all descriptors, and would hold a lock longer than its holder.
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
        /// A name that is not one of a test does not compile.
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
