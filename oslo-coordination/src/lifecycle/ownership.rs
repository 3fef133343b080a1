//! The right to a lock, and what keeps a coordinator running.

use std::fmt;
use std::sync::Arc;
use std::thread::ThreadId;

use super::hold::Hold;
use super::reply::{Receiver, reply};
use super::schedule::Schedule;
use super::state::{Core, Held, Released};
use crate::lock_name::LockName;
use crate::sync::lock;

/// Keeps a coordinator running. Its thread ends some time after the last one is dropped, when
/// everything is released.
#[derive(Debug)]
pub(crate) struct Lifeline {
    core: Arc<Core>,
    process: u32,
}

/// The right to a lock that is held. Dropping it releases the lock, and never blocks.
pub(crate) struct Ownership {
    life: Arc<Lifeline>,
    id: Arc<str>,
    hold: Arc<Hold>,
}

impl Lifeline {
    pub(crate) fn new(core: Arc<Core>) -> Arc<Self> {
        Arc::new(Lifeline {
            core,
            process: std::process::id(),
        })
    }

    pub(crate) fn core(&self) -> &Arc<Core> {
        &self.core
    }

    /// Returns `true` in a forked child, which has neither the thread nor a connection.
    pub(crate) fn is_inherited(&self) -> bool {
        self.process != std::process::id()
    }

    pub(crate) fn engine_name(&self) -> &'static str {
        self.core.engine.name()
    }

    /// # Errors
    /// Returns the problem with a name that the engine cannot use.
    pub(crate) fn check_name(&self, name: &LockName) -> Result<(), &'static str> {
        if name.bytes().is_empty() {
            return Err("it is empty");
        }
        self.core.engine.check_name(name)
    }

    /// Returns `true` if `thread` holds the lock, and would wait for itself.
    pub(crate) fn is_held_by(&self, name: &LockName, thread: ThreadId) -> bool {
        self.core.turns.is_held_by(name, thread)
    }

    /// Begins a hold.
    pub(super) fn hold(self: &Arc<Self>, mut held: Held) -> Ownership {
        if let (Some(lease), Some(until)) = (self.core.engine.lease(), held.hold.deadline()) {
            held.schedule = Some(Schedule::new(until, lease));
        }
        let ownership = Ownership {
            life: Arc::clone(self),
            id: Arc::clone(&held.claim.id),
            hold: Arc::clone(&held.hold),
        };
        lock(&self.core.held).insert(Arc::clone(&ownership.id), held);
        self.core.changed.notify_waiters();
        ownership
    }
}

impl Drop for Lifeline {
    fn drop(&mut self) {
        if !self.is_inherited() {
            self.core.end.notify_one();
        }
    }
}

impl Ownership {
    pub(crate) fn hold(&self) -> &Hold {
        &self.hold
    }

    /// Releases the lock; the receiver gets the engine's answer.
    pub(crate) fn release(self) -> Receiver<Released> {
        let (sender, receiver) = reply();
        if !self.hold.is_inherited() {
            self.life.core.release(&self.id, Some(sender));
        }
        receiver
    }
}

impl Drop for Ownership {
    fn drop(&mut self) {
        // In a forked child the lock belongs to the parent, and a mutex may be held for ever.
        if !self.hold.is_inherited() {
            self.life.core.release(&self.id, None);
        }
    }
}

impl fmt::Debug for Ownership {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.hold.fmt(f)
    }
}
