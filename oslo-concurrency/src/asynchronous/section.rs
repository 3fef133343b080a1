//! Which asynchronous sections the calling thread is running at this moment.
//!
//! A thread that asks for a lock that it holds waits for itself. A task may hold a lock and ask for it in another branch of a `join!`, which
//! is no mistake. But what runs *inside* a section, while that is being polled, and asks for the section's own lock, can never get it:
//! the lock is released when the section is over, and that is waiting.

use std::cell::RefCell;
use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll};

thread_local!(static INSIDE: RefCell<Vec<u64>> = const { RefCell::new(Vec::new()) });

/// Whether the calling thread is running the section of `owner`.
pub(crate) fn is_inside(owner: u64) -> bool {
    INSIDE.with_borrow(|inside| inside.contains(&owner))
}

/// Whether the calling thread is running any section.
pub(crate) fn is_inside_any() -> bool {
    INSIDE.with_borrow(|inside| !inside.is_empty())
}

/// `future`, during each poll of which the thread is inside the section of `owner`.
pub(crate) fn within<F: Future>(owner: u64, future: F) -> Within<F> {
    Within { owner, future }
}

/// See [`within`].
#[derive(Debug)]
pub struct Within<F> {
    owner: u64,
    future: F,
}

impl<F: Future> Future for Within<F> {
    type Output = F::Output;

    fn poll(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<F::Output> {
        let _entered = Entered::new(self.owner);
        // SAFETY: `future` is pinned whenever `self` is: it is never moved out, and `Within` has neither `Drop` nor `Unpin` of its own.
        let future = unsafe { self.map_unchecked_mut(|within| &mut within.future) };
        future.poll(context)
    }
}

/// Also left when the future panics.
struct Entered;

impl Entered {
    fn new(owner: u64) -> Self {
        INSIDE.with_borrow_mut(|inside| inside.push(owner));
        Entered
    }
}

impl Drop for Entered {
    fn drop(&mut self) {
        INSIDE.with_borrow_mut(|inside| inside.pop());
    }
}
