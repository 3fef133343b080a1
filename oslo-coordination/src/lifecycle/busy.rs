//! Counts the tasks that a coordinator must finish before it ends.

use std::sync::Arc;

use tokio::sync::Notify;

use crate::sync::{AtomicUsize, Ordering};

#[derive(Debug, Default)]
pub(crate) struct Busy {
    tasks: AtomicUsize,
    idle: Notify,
}

/// A task that is under way.
#[derive(Debug)]
pub(crate) struct Task(Arc<Busy>);

impl Busy {
    pub(crate) fn enter(self: &Arc<Self>) -> Task {
        self.tasks.fetch_add(1, Ordering::SeqCst);
        Task(Arc::clone(self))
    }

    /// Waits until no task is under way.
    pub(crate) async fn until_idle(&self) {
        loop {
            let idle = self.idle.notified();
            // Registered before the count is read, so that no end is missed.
            let mut idle = std::pin::pin!(idle);
            idle.as_mut().enable();
            if self.tasks.load(Ordering::SeqCst) == 0 {
                return;
            }
            idle.await;
        }
    }
}

impl Drop for Task {
    fn drop(&mut self) {
        if self.0.tasks.fetch_sub(1, Ordering::SeqCst) == 1 {
            self.0.idle.notify_waiters();
        }
    }
}
