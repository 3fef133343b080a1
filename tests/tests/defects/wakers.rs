//! A lock must not be affected by anything that an executor does in a waker.

use std::future::Future;
use std::pin::pin;
use std::sync::Arc;
use std::task::{Context, Wake, Waker};

use oslo_concurrency::lockutils;

use crate::{is_free_for_a_stranger, lock_path};

/// The waker of an executor that has ended and whose queue is closed.
struct Panics;

impl Wake for Panics {
    fn wake(self: Arc<Self>) {
        panic!("this executor takes no more tasks");
    }
}

#[test]
fn a_waker_that_panics_leaves_the_file_free() {
    for fair in [false, true] {
        let directory = lock_path();
        let lock = lockutils::lock("defect-waker").fair(fair);
        let both = lock.external(true).lock_path(directory.path());
        let waker = Waker::from(Arc::new(Panics));
        let mut context = Context::from_waker(&waker);
        let held = both.acquire().unwrap();
        let mut waits = pin!(lock.acquire_async());
        assert!(waits.as_mut().poll(&mut context).is_pending());
        // The holder is not affected by the executor of the waiter.
        drop(held);
        assert!(
            is_free_for_a_stranger(&directory.path().join("defect-waker")),
            "fair: {fair}: orphaned"
        );
        assert!(waits.as_mut().poll(&mut context).is_ready());
    }
}
