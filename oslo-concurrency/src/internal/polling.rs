//! The queue's lock for tasks: an acquire that is polled, and may be dropped at any time.

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use super::queue::QueueLock;
use super::waiter::{Call, Waiter};
use crate::asynchronous::section;
use crate::fork;
use crate::wait::Missed;

/// Acquires a [`QueueLock`] for `owner`, whoever polls. Dropped before it is ready, it leaves the queue, and passes on what it was given.
#[derive(Debug)]
pub(crate) struct Acquire<'a> {
    lock: &'a QueueLock,
    owner: u64,
    queued: Option<Queued>,
}

#[derive(Debug)]
struct Queued {
    waiter: Arc<Waiter>,
    generation: u64,
}

impl QueueLock {
    pub(crate) fn acquire_async(&self, owner: u64) -> Acquire<'_> {
        Acquire {
            lock: self,
            owner,
            queued: None,
        }
    }

    /// Takes the lock for `owner` if it is free.
    pub(crate) fn try_acquire_for(&self, owner: u64) -> Result<(), Missed> {
        if !self.try_take() {
            return Err(Missed::Busy);
        }
        self.taken_by(owner);
        Ok(())
    }
}

impl Acquire<'_> {
    fn poll_taken(&mut self, context: &mut Context<'_>) -> Poll<Result<(), Missed>> {
        let Some(queued) = &self.queued else {
            if self.lock.try_take() {
                return Poll::Ready(Ok(()));
            }
            if section::is_inside(self.lock.holder()) {
                return Poll::Ready(Err(Missed::HeldBySelf));
            }
            let waiter = Arc::new(Waiter::new());
            if self.lock.take_or_queue(&waiter) {
                return Poll::Ready(Ok(()));
            }
            self.queued = Some(Queued {
                waiter,
                generation: fork::generation(),
            });
            return self.poll_taken(context);
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

impl Future for Acquire<'_> {
    type Output = Result<(), Missed>;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Self::Output> {
        let outcome = self.poll_taken(context);
        if let Poll::Ready(Ok(())) = outcome {
            self.lock.taken_by(self.owner);
        }
        outcome
    }
}

impl Drop for Acquire<'_> {
    fn drop(&mut self) {
        let Some(queued) = self.queued.take() else {
            return;
        };
        if queued.generation != fork::generation() {
            std::mem::forget(queued);
        } else if self.lock.give_up(&queued.waiter).is_ok() {
            self.lock.release();
        }
    }
}
