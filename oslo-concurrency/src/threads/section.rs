//! Which asynchronous sections the calling thread is running at this moment.
//!
//! A thread that asks for a lock that it holds waits for itself. A task may hold a lock and ask for it in another branch of a `join!`, which
//! is no mistake. But what runs *inside* a section, while that is being polled, and asks for the section's own lock, can never get it:
//! the lock is released when the section is over, and that is waiting.

use std::cell::Cell;
use std::future::Future;
use std::pin::Pin;
use std::ptr;
use std::task::{Context, Poll};

thread_local! {
    /// The innermost of the sections that this thread is polling. Each lives on the stack of its poll; so nothing has to be destroyed
    /// with the thread, and destructors of other thread-local values may lock.
    static INNERMOST: Cell<*const Entered> = const { Cell::new(ptr::null()) };
}

/// `true` if the calling thread is running the section of `owner`.
pub(crate) fn is_inside(owner: u64) -> bool {
    let mut next = INNERMOST.get();
    // SAFETY: the list holds the polls that are under way on this thread, from the innermost outwards; none of them returns meanwhile.
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
        let entered = Entered {
            owner: self.owner,
            outer: INNERMOST.get(),
        };
        let _left = entered.enter();
        // SAFETY: `future` is pinned whenever `self` is: it is never moved out, and `Within` has neither `Drop` nor `Unpin` of its own.
        let future = unsafe { self.map_unchecked_mut(|within| &mut within.future) };
        future.poll(context)
    }
}

/// A section that is being polled.
struct Entered {
    owner: u64,
    outer: *const Entered,
}

impl Entered {
    /// The section is left when the answer is dropped, also when the future panics; until then this stays where it is.
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
