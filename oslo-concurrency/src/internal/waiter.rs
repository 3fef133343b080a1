//! The place of a thread or of a task in the queue of a lock.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::task::Waker;
use std::time::{Duration, Instant};

use crate::wait::Wait;

/// What the queue has told a waiter.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Call {
    /// Nothing yet.
    None,
    /// The lock is free; whoever is quickest takes it.
    Compete,
    /// The lock was handed over: the waiter holds it.
    Granted,
}

#[derive(Debug)]
pub(super) struct Waiter {
    place: Mutex<Place>,
    called: Condvar,
    since: Instant,
    impatient: AtomicBool,
}

#[derive(Debug)]
struct Place {
    call: Call,
    /// Who is woken, if it is a task; a thread sleeps on the condition variable.
    task: Option<Waker>,
}

impl Waiter {
    pub(super) fn new() -> Self {
        Waiter {
            place: Mutex::new(Place {
                call: Call::None,
                task: None,
            }),
            called: Condvar::new(),
            since: Instant::now(),
            impatient: AtomicBool::new(false),
        }
    }

    fn lock(&self) -> MutexGuard<'_, Place> {
        self.place.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Calls a thread; of a task, the answer is its waker, which the caller wakes when it holds no mutex any more.
    #[must_use]
    pub(super) fn call(&self, call: Call) -> Option<Waker> {
        let mut place = self.lock();
        place.call = call;
        let task = place.task.take();
        if task.is_none() {
            self.called.notify_one();
        }
        task
    }

    pub(super) fn is_granted(&self) -> bool {
        self.lock().call == Call::Granted
    }

    /// Somebody else was quicker; after `patience` that is once too often.
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
        let mut place = self.lock();
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
        place.take()
    }

    /// Takes the call, or has `task` woken when there is one.
    #[cfg(feature = "tokio")]
    pub(super) fn poll(&self, task: &Waker) -> Call {
        let mut place = self.lock();
        let call = place.take();
        if call == Call::None && !place.task.as_ref().is_some_and(|old| old.will_wake(task)) {
            place.task = Some(task.clone());
        }
        call
    }
}

impl Place {
    /// A call to compete is answered once; a lock that was handed over stays so.
    fn take(&mut self) -> Call {
        let call = self.call;
        if call == Call::Compete {
            self.call = Call::None;
        }
        call
    }
}
