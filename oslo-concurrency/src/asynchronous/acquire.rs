//! How a task acquires a named lock.

use super::kernel_wait::{self, Turn};
use crate::files::Failure;
use crate::fork;
use crate::named::lock_table::{self, ExternalEntry, InternalEntry};
use crate::sync::Arc;
use crate::threads::section;
use crate::wait::Missed;

/// What a task has to pass: the same locks, in the same order, as a thread (see `lockutils::acquire`).
pub(crate) struct Gates {
    pub(crate) internal: Arc<InternalEntry>,
    pub(crate) external: Option<Arc<ExternalEntry>>,
    pub(crate) fair: bool,
    pub(crate) owner: u64,
    pub(crate) may_wait: bool,
}

impl Gates {
    /// Acquires both. Everything that is taken is in a value that gives it back when it is dropped, at every await.
    pub(crate) async fn acquire(&self) -> Result<(Internal, Option<Turn>), Failure> {
        if self.fair {
            self.internal.make_fair();
        }
        let Some(external) = &self.external else {
            return Ok((self.take_internal().await?, None));
        };
        if self.may_wait && section::is_inside(self.internal.holder()) {
            return Err(Missed::HeldBySelf.into());
        }
        let (internal, turn) = if self.fair {
            external.turn().make_fair();
            (self.take_internal().await?, self.take_turn(external).await?)
        } else {
            let turn = self.take_turn(external).await?;
            if self.internal.try_acquire_for(self.owner).is_ok() {
                (Internal::taken(Arc::clone(&self.internal)), turn)
            } else {
                turn.give_back();
                (self.take_internal().await?, self.take_turn(external).await?)
            }
        };
        let turn = kernel_wait::lock_file(turn, self.may_wait).await?;
        Ok((internal, Some(turn)))
    }

    async fn take_internal(&self) -> Result<Internal, Missed> {
        let free = self.internal.try_acquire_for(self.owner);
        if free.is_err() && self.may_wait {
            // Whoever holds the lock between threads may be waiting for the file: look before joining them.
            if self.external.as_ref().is_some_and(would_wait_for_itself) {
                return Err(Missed::HeldBySelf);
            }
            let release = || self.internal.release();
            self.internal.acquire_async(self.owner, release).await?;
        } else {
            free?;
        }
        Ok(Internal::taken(Arc::clone(&self.internal)))
    }

    async fn take_turn(&self, external: &Arc<ExternalEntry>) -> Result<Turn, Missed> {
        let turn = external.turn();
        if turn.try_acquire_for(self.owner).is_err() {
            if !self.may_wait {
                return Err(Missed::Busy);
            }
            // The one whose turn it is may be waiting for a file that the section holds by another path.
            if would_wait_for_itself(external) {
                return Err(Missed::HeldBySelf);
            }
            // A turn that comes when nobody wants it any more comes with whatever was passed on with it.
            let release = || external.release(self.fair);
            turn.acquire_async(self.owner, release).await?;
        }
        Ok(Turn::taken(Arc::clone(external), self.fair))
    }
}

/// Returns `true` if the section that the calling thread is running holds the file.
fn would_wait_for_itself(external: &Arc<ExternalEntry>) -> bool {
    section::is_inside(external.holder()) || external.leads_to(lock_table::this_section_holds)
}

/// The lock between threads, taken; dropping this releases it.
pub(crate) struct Internal {
    entry: Arc<InternalEntry>,
    generation: u64,
    given_on: bool,
}

impl Internal {
    fn taken(entry: Arc<InternalEntry>) -> Self {
        Internal {
            entry,
            generation: fork::generation(),
            given_on: false,
        }
    }

    /// The lock, which the caller will release.
    pub(crate) fn into_entry(mut self) -> Arc<InternalEntry> {
        self.given_on = true;
        Arc::clone(&self.entry)
    }
}

impl Drop for Internal {
    fn drop(&mut self) {
        if !self.given_on && self.generation == fork::generation() {
            self.entry.release();
        }
    }
}
