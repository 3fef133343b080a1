//! Opening a file that another process keeps from being opened.

use std::thread;
use std::time::{Duration, Instant};

use super::{FileLockError, LockFile};
use crate::sys::for_tests::Lease;
use crate::wait::{AcquireFailure, Wait, WaitLimit};

#[test]
fn opening_waits_for_the_end_of_a_lease_no_longer_than_asked() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("x");
    let lease = Lease::on_new_file(&path);
    let open = |wait| LockFile::open(&path, wait, &mut WaitLimit::silent());
    let failure = |wait| match open(wait) {
        Err(FileLockError::NotAcquired(failure)) => failure,
        outcome => panic!("{outcome:?}"),
    };
    assert_eq!(failure(Wait::Never), AcquireFailure::Busy);
    let deadline = Instant::now() + Duration::from_millis(20);
    assert_eq!(failure(Wait::Until(deadline)), AcquireFailure::TimedOut);
    assert!(Instant::now() >= deadline);
    thread::scope(|scope| {
        let opener = scope.spawn(|| open(Wait::Forever).unwrap().is_at(&path).unwrap());
        drop(lease);
        assert!(opener.join().unwrap());
    });
}
