//! What is done to the holder of a lock.

use std::time::Duration;

use super::Verb;

/// Something that is done to a holder, or by it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FaultKind {
    /// It is killed in the section.
    Kill,
    /// It is killed so long after its release was written.
    KillReleasing(Duration),
    /// It is stopped for so long.
    Pause(Duration),
    /// The files of the lock are deleted.
    Unlink,
    /// It is told to do this before it goes on.
    Tell(Verb),
    /// It leaves after the release.
    Leave,
    /// It removes the lock after the release.
    Remove,
}
