//! One thread's place in the queue of a lock.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
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
    call: Mutex<Call>,
    called: Condvar,
    since: Instant,
    impatient: AtomicBool,
}

impl Waiter {
    pub(super) fn new() -> Self {
        Waiter {
            call: Mutex::new(Call::None),
            called: Condvar::new(),
            since: Instant::now(),
            impatient: AtomicBool::new(false),
        }
    }

    fn lock(&self) -> MutexGuard<'_, Call> {
        self.call.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn call(&self, call: Call) {
        *self.lock() = call;
        self.called.notify_one();
    }

    pub(super) fn is_granted(&self) -> bool {
        *self.lock() == Call::Granted
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
        let mut call = self.lock();
        while *call == Call::None {
            call = match wait {
                Wait::Forever => self
                    .called
                    .wait(call)
                    .unwrap_or_else(PoisonError::into_inner),
                Wait::Never => break,
                Wait::Until(deadline) => {
                    let left = deadline.saturating_duration_since(Instant::now());
                    if left.is_zero() {
                        break;
                    }
                    self.called
                        .wait_timeout(call, left)
                        .unwrap_or_else(PoisonError::into_inner)
                        .0
                }
            };
        }
        let answer = *call;
        if answer == Call::Compete {
            *call = Call::None;
        }
        answer
    }
}
