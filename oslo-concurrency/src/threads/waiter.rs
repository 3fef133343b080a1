//! The place of a thread or of a task in the queue of a lock.

#[cfg(feature = "tokio")]
use std::task::Waker;
use std::time::Duration;

use crate::sync::{AtomicBool, Condvar, Instant, Mutex, Ordering, PoisonError, lock};
use crate::wait::Wait;

#[cfg(not(feature = "tokio"))]
type Waker = std::convert::Infallible;

/// What the queue has told a waiter.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Call {
    /// Nothing yet.
    None,
    /// The lock is free; the quickest takes it.
    Compete,
    /// The lock was handed over: the waiter holds it.
    Granted,
}

/// Who waits.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    /// A thread, which sleeps here and is certain to answer a call.
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
    impatient: AtomicBool,
}

#[derive(Debug)]
struct Place {
    call: Call,
    /// Woken if the waiter is a task; a thread sleeps on the condition variable.
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
            impatient: AtomicBool::new(false),
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

    /// Another one was quicker; after `patience` that is once too often.
    pub(super) fn passed_by(&self, patience: Duration) {
        if self.since.elapsed() > patience {
            self.impatient.store(true, Ordering::Relaxed);
        }
    }

    pub(super) fn is_impatient(&self) -> bool {
        self.impatient.load(Ordering::Relaxed)
    }

    /// Sleeps until the queue calls or the wait is over, and takes the call.
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

    /// Takes the call, or has `task` woken when there is one.
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
    /// A call to compete is answered once; a lock that was handed over stays so.
    fn take_call(&mut self) -> Call {
        let call = self.call;
        if call == Call::Compete {
            self.call = Call::None;
        }
        call
    }
}
