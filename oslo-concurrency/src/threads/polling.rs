//! The queue lock for tasks: an acquire that is polled, and may be dropped at any time.

use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll};

use super::queue::QueueLock;
use super::section;
use super::waiter::{Call, Kind, Waiter};
use crate::fork;
use crate::sync::Arc;
use crate::wait::AcquireFailure;

/// Acquires a [`QueueLock`] for `owner`, on whatever thread it is polled.
///
/// A future that is dropped before it is ready leaves the queue. If the lock was handed to it by
/// then, or was free at that moment, it calls `release`, which must release the lock and everything
/// that was passed on with it.
#[derive(Debug)]
pub(crate) struct Acquire<'a, R: Fn()> {
    lock: &'a QueueLock,
    owner: u64,
    release: R,
    queued: Option<Queued>,
}

#[derive(Debug)]
struct Queued {
    waiter: Arc<Waiter>,
    generation: u64,
}

impl QueueLock {
    /// Acquires the lock for `owner`; see [`Acquire`].
    pub(crate) fn acquire_async<R: Fn()>(&self, owner: u64, release: R) -> Acquire<'_, R> {
        Acquire {
            lock: self,
            owner,
            release,
            queued: None,
        }
    }

    /// Acquires the lock for `owner` if it is free.
    pub(crate) fn try_acquire_for(&self, owner: u64) -> Result<(), AcquireFailure> {
        if !self.try_take() {
            return Err(AcquireFailure::Busy);
        }
        self.held_by(owner);
        Ok(())
    }
}

impl<R: Fn()> Acquire<'_, R> {
    fn poll_taken(&mut self, context: &mut Context<'_>) -> Poll<Result<(), AcquireFailure>> {
        let queued = match &self.queued {
            Some(queued) => queued,
            None => {
                if self.lock.try_take() {
                    return Poll::Ready(Ok(()));
                }
                if section::is_inside(self.lock.holder()) {
                    return Poll::Ready(Err(AcquireFailure::HeldBySelf));
                }
                let waiter = Arc::new(Waiter::new(Kind::Task));
                if self.lock.take_or_queue(&waiter, 0) {
                    return Poll::Ready(Ok(()));
                }
                self.queued.insert(Queued {
                    waiter,
                    generation: fork::generation(),
                })
            }
        };
        loop {
            match queued.waiter.poll(context.waker()) {
                Call::None => return Poll::Pending,
                Call::Compete if !self.lock.answer_call(&queued.waiter, false) => {}
                Call::Compete | Call::Granted => {
                    self.queued = None;
                    return Poll::Ready(Ok(()));
                }
            }
        }
    }
}

impl<R: Fn() + Unpin> Future for Acquire<'_, R> {
    type Output = Result<(), AcquireFailure>;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Self::Output> {
        let outcome = self.poll_taken(context);
        if let Poll::Ready(Ok(())) = outcome {
            self.lock.held_by(self.owner);
        }
        outcome
    }
}

impl<R: Fn()> Drop for Acquire<'_, R> {
    fn drop(&mut self) {
        let Some(queued) = self.queued.take() else {
            return;
        };
        if queued.generation != fork::generation() {
            std::mem::forget(queued);
        } else if self.lock.give_up(&queued.waiter).is_ok() {
            (self.release)();
        }
    }
}
