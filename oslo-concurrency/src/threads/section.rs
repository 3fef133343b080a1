//! The asynchronous critical sections that the calling thread is polling.
//!
//! A thread that requests a lock it holds waits for itself. A task may hold a lock and request it
//! in another branch of a `join!`, which is no mistake. But code that runs *inside* a section,
//! while that is polled, can never get the section's own lock: the lock is released when the
//! section is over, and the section waits.

use std::cell::Cell;
use std::future::Future;
use std::pin::Pin;
use std::ptr;
use std::task::{Context, Poll};

thread_local! {
    /// The innermost section that this thread is polling. Each is on the stack of its poll, so
    /// nothing has to be destroyed with the thread, and destructors of other thread-local values
    /// may lock.
    static INNERMOST: Cell<*const Entered> = const { Cell::new(ptr::null()) };
}

/// Returns `true` if the calling thread is running the section of `owner`.
pub(crate) fn is_inside(owner: u64) -> bool {
    let mut next = INNERMOST.get();
    // SAFETY: the list holds the polls that are under way on this thread, from the innermost
    // outwards; none of them returns meanwhile.
    while let Some(entered) = unsafe { next.as_ref() } {
        if entered.owner == owner {
            return true;
        }
        next = entered.outer;
    }
    false
}

/// Returns `true` if the calling thread is running any section.
pub(crate) fn is_inside_any() -> bool {
    !INNERMOST.get().is_null()
}

/// Puts the thread inside the section of `owner` during each poll of `future`.
pub(crate) fn within<F: Future>(owner: u64, future: F) -> Within<F> {
    Within { owner, future }
}

/// A future inside a section; made by [`within`].
#[derive(Debug)]
pub struct Within<F> {
    owner: u64,
    future: F,
}

impl<F: Future> Future for Within<F> {
    type Output = F::Output;

    fn poll(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<F::Output> {
        let entered = Entered {
            owner: self.owner,
            outer: INNERMOST.get(),
        };
        let _left = entered.enter();
        // SAFETY: `future` is pinned whenever `self` is: it is never moved out, and `Within`
        // implements neither `Drop` nor `Unpin`.
        let future = unsafe { self.map_unchecked_mut(|within| &mut within.future) };
        future.poll(context)
    }
}

/// A section that a poll is running.
struct Entered {
    owner: u64,
    outer: *const Entered,
}

impl Entered {
    /// Enters the section until the returned value is dropped, even during a panic. Until then
    /// `self` does not move.
    fn enter(&self) -> Left<'_> {
        INNERMOST.set(self);
        Left(self)
    }
}

struct Left<'a>(&'a Entered);

impl Drop for Left<'_> {
    fn drop(&mut self) {
        INNERMOST.set(self.0.outer);
    }
}
