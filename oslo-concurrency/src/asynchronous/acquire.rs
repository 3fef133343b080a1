//! Acquires of named locks by tasks.

use super::kernel_wait::{self, Turn};
use crate::files::FileLockError;
use crate::fork;
use crate::named::lock_table::{self, ExternalEntry, InternalEntry};
use crate::sync::Arc;
use crate::threads::section;
use crate::wait::AcquireFailure;

/// Acquires, for a task, the same locks in the same order as a thread does (see `named::acquire`).
pub(crate) struct TaskAcquire {
    pub(crate) internal: Arc<InternalEntry>,
    pub(crate) external: Option<Arc<ExternalEntry>>,
    pub(crate) fair: bool,
    pub(crate) owner: u64,
    pub(crate) may_wait: bool,
}

impl TaskAcquire {
    /// Acquires both locks. At every await, each acquired part is owned by a value that releases it
    /// when it is dropped.
    pub(crate) async fn acquire(&self) -> Result<(InternalHold, Option<Turn>), FileLockError> {
        if self.fair {
            self.internal.make_fair();
        }
        let Some(external) = &self.external else {
            return Ok((self.take_internal().await?, None));
        };
        if self.may_wait && section::is_inside(self.internal.holder()) {
            return Err(AcquireFailure::HeldBySelf.into());
        }
        let (internal, turn) = if self.fair {
            external.turn().make_fair();
            (self.take_internal().await?, self.take_turn(external).await?)
        } else {
            let turn = self.take_turn(external).await?;
            if self.internal.try_acquire_for(self.owner).is_ok() {
                (InternalHold::new(Arc::clone(&self.internal)), turn)
            } else {
                turn.give_back();
                (self.take_internal().await?, self.take_turn(external).await?)
            }
        };
        let turn = kernel_wait::lock_file(turn, self.may_wait).await?;
        Ok((internal, Some(turn)))
    }

    async fn take_internal(&self) -> Result<InternalHold, AcquireFailure> {
        let free = self.internal.try_acquire_for(self.owner);
        if free.is_err() && self.may_wait {
            // The holder of the lock between threads may be waiting for the file: check before
            // queueing behind it.
            if self.external.as_ref().is_some_and(would_wait_for_itself) {
                return Err(AcquireFailure::HeldBySelf);
            }
            let release = || self.internal.release();
            self.internal.acquire_async(self.owner, release).await?;
        } else {
            free?;
        }
        Ok(InternalHold::new(Arc::clone(&self.internal)))
    }

    async fn take_turn(&self, external: &Arc<ExternalEntry>) -> Result<Turn, AcquireFailure> {
        let turn = external.turn();
        if turn.try_acquire_for(self.owner).is_err() {
            if !self.may_wait {
                return Err(AcquireFailure::Busy);
            }
            // The owner of the turn may be waiting for a file that the section holds by another
            // path.
            if would_wait_for_itself(external) {
                return Err(AcquireFailure::HeldBySelf);
            }
            // A turn that is granted after the task was dropped may have brought the kernel's lock
            // with it.
            let release = || external.release(self.fair);
            turn.acquire_async(self.owner, release).await?;
        }
        Ok(Turn::new(Arc::clone(external), self.fair))
    }
}

/// Returns `true` if the section that the calling thread is running holds the file.
fn would_wait_for_itself(external: &Arc<ExternalEntry>) -> bool {
    section::is_inside(external.holder()) || external.leads_to(lock_table::this_section_holds)
}

/// The acquired lock between threads. Dropping this releases it.
pub(crate) struct InternalHold {
    entry: Arc<InternalEntry>,
    generation: u64,
    handed_over: bool,
}

impl InternalHold {
    fn new(entry: Arc<InternalEntry>) -> Self {
        InternalHold {
            entry,
            generation: fork::generation(),
            handed_over: false,
        }
    }

    /// The lock, which the caller must release.
    pub(crate) fn into_entry(mut self) -> Arc<InternalEntry> {
        self.handed_over = true;
        Arc::clone(&self.entry)
    }
}

impl Drop for InternalHold {
    fn drop(&mut self) {
        if !self.handed_over && self.generation == fork::generation() {
            self.entry.release();
        }
    }
}
