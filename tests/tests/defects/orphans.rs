//! A lock without a holder and without waiters is free for a stranger.

use std::future::Future;
use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Waker};
use std::thread;
use std::time::{Duration, Instant};

use oslo_concurrency::lockutils::{self, InterProcessLock};

use crate::{is_free_for_a_stranger, lock_path};

#[test]
fn a_future_is_dropped_after_the_lock_was_released_to_it() {
    let directory = lock_path();
    let lock = || {
        lockutils::lock("defect-1")
            .external(true)
            .lock_path(directory.path())
    };
    let file = directory.path().join("defect-1");
    let holder = lock().acquire().unwrap();
    let mut context = Context::from_waker(Waker::noop());
    {
        let mut waits = pin!(lock().acquire_async());
        assert!(waits.as_mut().poll(&mut context).is_pending());
        drop(holder);
        // A task that is not polled does not keep other processes out either.
        assert!(is_free_for_a_stranger(&file), "kept for a task");
    }
    assert!(is_free_for_a_stranger(&file), "orphaned");
    drop(lock().blocking(false).acquire().unwrap());
}

/// A holder in a loop, and a thread whose waits end at any moment of it.
#[test]
fn waits_that_are_given_up_at_any_moment_leave_nothing_behind() {
    let directory = lock_path();
    let lock = InterProcessLock::new(directory.path().join("defect-2"));
    let over = Arc::new(AtomicBool::new(false));
    let end = Instant::now() + Duration::from_secs(2);
    let mut rounds = 0;
    while Instant::now() < end {
        over.store(false, Ordering::Relaxed);
        thread::scope(|scope| {
            scope.spawn(|| {
                while !over.load(Ordering::Relaxed) {
                    let _ = lock.acquire_timeout(Duration::from_micros(1));
                }
            });
            for _ in 0..2_000 {
                drop(lock.acquire().unwrap());
            }
            over.store(true, Ordering::Relaxed);
        });
        assert!(
            is_free_for_a_stranger(lock.path()),
            "orphaned in round {rounds}"
        );
        rounds += 1;
    }
    assert!(rounds > 0);
}
