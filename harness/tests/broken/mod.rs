//! Locks broken on purpose, a file each: the bug, and the guarantee whose trial must find it.
//!
//! A new one is a file and a word in the list below.

use std::path::Path;

use lockutils_harness::conformance::{Guarantee, Lock};

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
    let directory = tempfile::tempdir().unwrap();
    let verdict = found_by.examine(directory.path(), make);
    assert!(verdict.is_violated(), "{}: {verdict}", found_by.word());
}
