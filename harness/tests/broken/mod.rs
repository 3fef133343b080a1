//! Locks broken on purpose, one per file: the bug, and the guarantee whose trial must find it.
//!
//! To add one, add a file and its name to the list below.

use std::path::Path;

use lockutils_harness::testing::conformance::{Guarantee, Lock};

macro_rules! broken_locks {
    ($($file:ident),*) => {
        $(
            mod $file;

            #[test]
            fn $file() {
                assert_found(&$file::make, $file::FOUND_BY);
            }
        )*
    };
}

broken_locks!(
    does_nothing,
    forgets_its_threads,
    is_freed_by_a_child,
    is_kept_by_a_child,
    leaves_its_name_behind,
    locks_a_file_without_a_name,
    gives_up_early,
    keeps_what_a_panic_left,
    is_kept_by_a_program,
    remembers_its_holder_in_a_child,
    takes_it_after_giving_up,
    takes_a_signal_for_the_lock,
    serves_whoever_looks_first,
    locks_where_nobody_can
);

fn assert_found<L: Lock>(make: &(dyn Fn(&Path) -> L + Sync), found_by: Guarantee) {
    assert_found_with(make, found_by, "");
}

macro_rules! seldom_broken_locks {
    ($($test:ident $file:ident::$make:ident),* $(,)?) => {
        mod seldom {
            use super::*;

            $(
                #[test]
                fn $test() {
                    assert_found_with(&$file::$make, $file::FOUND_BY, $file::EVIDENCE);
                }
            )*
        }
    };
}

mod acquires_after_giving_up;
mod loses_a_wake_up;
mod releases_early;
mod says_busy_though_free;
mod starves_one_waiter;
mod times_out_early;

// Each must be found within ten seconds on an idle machine; standard error shows the time.
seldom_broken_locks!(
    starves_one_waiter starves_one_waiter::make,
    times_out_early times_out_early::make,
    times_out_early_once_in_20 times_out_early::once_in_20,
    acquires_after_giving_up acquires_after_giving_up::make,
    says_busy_though_free says_busy_though_free::make,
    says_busy_though_free_once_in_50 says_busy_though_free::once_in_50,
    loses_a_wake_up_once_in_10_000 loses_a_wake_up::make,
    releases_early_once_in_1_000 releases_early::make,
);

/// Asserts that the trial of one guarantee finds the bug, with this evidence.
fn assert_found_with<L: Lock>(
    make: &(dyn Fn(&Path) -> L + Sync),
    found_by: Guarantee,
    evidence: &str,
) {
    let directory = tempfile::tempdir().unwrap();
    let began = std::time::Instant::now();
    let verdict = found_by.examine(directory.path(), make);
    eprintln!("{} after {:?}: {verdict}", found_by.word(), began.elapsed());
    assert!(verdict.is_violated(), "{}: {verdict}", found_by.word());
    assert!(verdict.to_string().contains(evidence), "{verdict}");
}
