//! Faults injected into a lock and its holders.

use std::time::Duration;

use super::Verb;

/// A fault that is injected while a worker holds the lock or after its release.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FaultKind {
    /// Kill the holder.
    Kill,
    /// Kill the holder this long after its `release` was written.
    KillReleasing(Duration),
    /// Stop the holder for this long.
    Pause(Duration),
    /// Delete the files of the lock.
    Unlink,
    /// Have the holder perform this verb.
    Perform(Verb),
    /// Have the holder exit after the release.
    Leave,
    /// Have the holder remove the lock after the release.
    Remove,
}
