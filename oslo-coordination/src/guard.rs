use std::marker::PhantomData;
use std::ops::Deref;

use crate::Error;
use crate::lifecycle::{Hold, Ownership};

/// A held lock. Dropping the guard releases the lock, even during a panic, and never blocks: the
/// coordinator's thread tells the server. Until that has answered, the lock is still held there.
///
/// The guard is not `Send`: the thread is recorded, so that a second attempt on it fails instead of
/// waiting for itself. In a forked child, the parent's guards are void: [`lost`](Hold::lost) is
/// `true`, and dropping them does nothing.
#[derive(Debug)]
#[must_use = "the lock is released when the guard is dropped"]
pub struct Guard {
    ownership: Ownership,
    _on_this_thread: PhantomData<*const ()>,
}

/// A lock held by a task. Dropping the guard releases the lock and never blocks.
///
/// The guard may be held across an `.await` and sent to another thread or task. In a forked child
/// it is void.
#[derive(Debug)]
#[must_use = "the lock is released when the guard is dropped"]
pub struct AsyncGuard {
    ownership: Ownership,
}

impl Hold {
    /// Confirms that the lock is still held, without asking the server.
    ///
    /// # Errors
    /// Returns [`Error::Lost`] if it is [`lost`](Self::lost), or [`Error::Forked`].
    pub fn check(&self) -> Result<(), Error> {
        let name = || self.lock_name().text();
        if self.is_inherited() {
            return Err(Error::Forked { name: name() });
        }
        match self.lost() {
            true => Err(Error::Lost { name: name() }),
            false => Ok(()),
        }
    }
}

impl Guard {
    pub(crate) fn new(ownership: Ownership) -> Self {
        Guard {
            ownership,
            _on_this_thread: PhantomData,
        }
    }

    /// Releases the lock and waits for the server's answer.
    ///
    /// # Errors
    /// Returns [`Error::Lost`] if the lock was lost before, and [`Error::Unavailable`] if the
    /// server does not answer before the lease ends; that ends the hold in any case.
    pub fn release(self) -> Result<(), Error> {
        let name = self.lock_name().text();
        self.check_process()?;
        Error::release(&name, self.ownership.release().wait())
    }

    fn check_process(&self) -> Result<(), Error> {
        match self.is_inherited() {
            true => self.check(),
            false => Ok(()),
        }
    }
}

impl AsyncGuard {
    pub(crate) fn new(ownership: Ownership) -> Self {
        AsyncGuard { ownership }
    }

    /// Releases the lock and waits for the server's answer. The release goes on if the future is
    /// dropped. On any executor.
    ///
    /// # Errors
    /// The same as [`Guard::release`].
    pub async fn release(self) -> Result<(), Error> {
        let name = self.lock_name().text();
        if self.is_inherited() {
            return self.check();
        }
        Error::release(&name, self.ownership.release().await)
    }
}

impl Deref for Guard {
    type Target = Hold;
    fn deref(&self) -> &Hold {
        self.ownership.hold()
    }
}

impl Deref for AsyncGuard {
    type Target = Hold;
    fn deref(&self) -> &Hold {
        self.ownership.hold()
    }
}
