//! The place of a thread or of a task in the queue of a lock.

#[cfg(feature = "tokio")]
use std::task::Waker;
use std::time::Duration;

use crate::sync::{AtomicBool, Condvar, Instant, Mutex, Ordering, PoisonError, lock};
use crate::wait::Wait;

#[cfg(not(feature = "tokio"))]
type Waker = std::convert::Infallible;

/// The latest message of the queue to a waiter.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Call {
    /// No message yet.
    None,
    /// The lock is free; the quickest acquires it.
    Compete,
    /// The lock was handed over: the waiter holds it.
    Granted,
}

/// The kind of a waiter.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    /// A thread, which sleeps in [`Waiter::sleep`] and is certain to answer a call.
    Thread,
    /// A task, which answers when its executor polls it again.
    Task,
}

#[derive(Debug)]
pub(super) struct Waiter {
    kind: Kind,
    place: Mutex<Place>,
    called: Condvar,
    since: Instant,
    overtaken_too_long: AtomicBool,
}

#[derive(Debug)]
struct Place {
    call: Call,
    /// Wakes a task; a thread sleeps on the condition variable.
    task: Option<Waker>,
}

impl Waiter {
    pub(super) fn new(kind: Kind) -> Self {
        Waiter {
            kind,
            place: Mutex::new(Place {
                call: Call::None,
                task: None,
            }),
            called: Condvar::new(),
            since: Instant::now(),
            overtaken_too_long: AtomicBool::new(false),
        }
    }

    pub(super) fn kind(&self) -> Kind {
        self.kind
    }

    /// Calls the waiter. Returns a task's waker, which the caller wakes once it holds no mutex.
    #[must_use]
    pub(super) fn call(&self, call: Call) -> Option<Waker> {
        let mut place = lock(&self.place);
        place.call = call;
        let task = place.task.take();
        if self.kind == Kind::Thread {
            self.called.notify_one();
        }
        task
    }

    pub(super) fn is_granted(&self) -> bool {
        lock(&self.place).call == Call::Granted
    }

    /// Records that another thread or task was quicker. After `limit` that must not happen again.
    pub(super) fn overtaken(&self, limit: Duration) {
        if self.since.elapsed() > limit {
            self.overtaken_too_long.store(true, Ordering::Relaxed);
        }
    }

    pub(super) fn must_not_be_overtaken(&self) -> bool {
        self.overtaken_too_long.load(Ordering::Relaxed)
    }

    /// Sleeps until the queue calls or the wait is over, and returns the call.
    pub(super) fn sleep(&self, wait: Wait) -> Call {
        let mut place = lock(&self.place);
        while place.call == Call::None {
            place = match wait {
                Wait::Forever => self
                    .called
                    .wait(place)
                    .unwrap_or_else(PoisonError::into_inner),
                Wait::Never => break,
                Wait::Until(deadline) => {
                    let left = deadline.saturating_duration_since(Instant::now());
                    if left.is_zero() {
                        break;
                    }
                    self.called
                        .wait_timeout(place, left)
                        .unwrap_or_else(PoisonError::into_inner)
                        .0
                }
            };
        }
        place.take_call()
    }

    /// Returns the call, or [`Call::None`] and wakes `task` when there is one.
    #[cfg(feature = "tokio")]
    pub(super) fn poll(&self, task: &Waker) -> Call {
        // Cloning and dropping a waker runs an executor's code, which may use this very lock.
        let task = task.clone();
        let mut place = lock(&self.place);
        let call = place.take_call();
        let unused = if call == Call::None {
            place.task.replace(task)
        } else {
            Some(task)
        };
        drop(place);
        drop(unused);
        call
    }
}

impl Place {
    /// A call to compete is returned once; a lock that was handed over stays so.
    fn take_call(&mut self) -> Call {
        let call = self.call;
        if call == Call::Compete {
            self.call = Call::None;
        }
        call
    }
}
