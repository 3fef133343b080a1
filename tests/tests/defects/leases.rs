//! Another process has a lease on the lock file, so that it cannot be opened.

use std::fs::File;
use std::os::fd::AsRawFd;
use std::path::Path;
use std::time::{Duration, Instant};

use oslo_concurrency::lockutils::{self, Error};

use crate::{lock_path, within_the_deadline};

/// A lease through a descriptor with which a second open of the file conflicts.
fn lease(file: &Path) -> File {
    const F_SETSIG: nix::libc::c_int = 10; // linux/fcntl.h
    let file = File::create(file).unwrap();
    // Not SIGIO, the default, which would end the tests: SIGURG does nothing.
    for (command, argument) in [
        (F_SETSIG, nix::libc::SIGURG),
        (nix::libc::F_SETLEASE, nix::libc::F_WRLCK),
    ] {
        // SAFETY: the descriptor is open, and these commands take a number and touch no memory.
        let done = unsafe { nix::libc::fcntl(file.as_raw_fd(), command, argument) };
        assert_eq!(done, 0);
    }
    file
}

#[test]
fn who_does_not_wait_is_told_at_once_and_who_waits_is_told_in_time() {
    let directory = lock_path();
    let path = directory.path().to_owned();
    let leased = lease(&path.join("x"));
    within_the_deadline("asks for a leased file", move || {
        let lock = lockutils::lock("x").external(true).lock_path(&path);
        let asked = Instant::now();
        assert!(matches!(
            lock.blocking(false).acquire(),
            Err(Error::NotAcquired { .. })
        ));
        assert!(matches!(
            lock.timeout(Duration::from_millis(20)).acquire(),
            Err(Error::Timeout { .. })
        ));
        // A lease lasts 45 s.
        assert!(asked.elapsed() < Duration::from_secs(30));
        drop(leased);
        drop(lock.acquire().unwrap());
    });
}

/// A task waits for the end of a lease without blocking its executor's thread.
#[test]
fn a_task_goes_on_meanwhile() {
    let directory = lock_path();
    let path = directory.path().to_owned();
    let leased = lease(&path.join("x"));
    within_the_deadline("a task asks for a leased file", move || {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .build()
            .unwrap();
        runtime.block_on(async {
            let lock = lockutils::lock("x").external(true).lock_path(&path);
            let acquire = lock.acquire_async();
            let release = async {
                tokio::task::yield_now().await;
                drop(leased);
            };
            let (acquired, ()) = tokio::join!(acquire, release);
            drop(acquired.unwrap());
        });
    });
}
