//! Correct locks of different kinds, one per file: no trial may report a violation, whatever else
//! runs.
//!
//! `ci/correct-locks` runs all of this fifty times.

use lockutils_harness::lock_conformance;

mod flock_blocking;
mod flock_polling;
mod ofd_blocking;
mod posix_with_a_table;
mod python_record_lock;
mod robust_mutex;

lock_conformance!(waits_by_flock, super::flock_blocking::make,
    not_promised: [forked_release, forked_survivor, removal, timeout, given_up, fairness]);
lock_conformance!(polls_by_flock, super::flock_polling::make,
    not_promised: [forked_release, forked_survivor, forked_locking, removal, fairness]);
lock_conformance!(waits_by_ofd, super::ofd_blocking::make,
    not_promised: [forked_release, forked_survivor, forked_locking, removal, fairness]);
lock_conformance!(waits_by_posix, super::posix_with_a_table::make,
    not_promised: [reopening, forked_locking, removal, fairness]);
lock_conformance!(is_python, super::python_record_lock::make,
    not_promised: [reopening, forked_release, forked_survivor, forked_locking, removal, fairness]);
lock_conformance!(is_a_robust_mutex, super::robust_mutex::make,
    not_promised: [reopening, removal, fairness, refusal]);

/// Between fork and exec, a child has copies of all descriptors and so holds locks of flock(2), for
/// which no trial may blame the lock.
#[test]
fn children_of_other_tests_are_not_taken_for_holders() {
    use std::os::unix::process::CommandExt;
    use std::process::Command;
    use std::sync::atomic::{AtomicBool, Ordering};

    use lockutils_harness::testing::conformance::Guarantee;

    let directory = tempfile::tempdir().unwrap();
    let over = AtomicBool::new(false);
    // The process that is executed for a trial runs this code as well, and must have no such
    // children.
    let alone = std::env::var_os("LOCKUTILS_HARNESS_RUNS").is_some();
    let verdict = std::thread::scope(|scope| {
        scope.spawn(|| {
            while !alone && !over.load(Ordering::Relaxed) {
                let mut command = Command::new("true");
                // SAFETY: the child only sleeps between fork and exec.
                unsafe {
                    command.pre_exec(|| {
                        std::thread::sleep(std::time::Duration::from_millis(3));
                        Ok(())
                    })
                };
                command.status().unwrap();
            }
        });
        let verdict = Guarantee::GivenUp.examine(directory.path(), &flock_polling::make);
        over.store(true, Ordering::Relaxed);
        verdict
    });
    assert!(verdict.is_held(), "{verdict}");
}
