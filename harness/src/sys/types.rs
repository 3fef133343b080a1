//! Types of the seam that are the same on every platform.

/// A side of a fork.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(windows, allow(dead_code, reason = "there is no fork"))]
pub(crate) enum Side {
    /// The process that forked; its child has ended.
    Parent,
    /// The new process.
    Child,
}

/// The size of a file system.
#[derive(Clone, Copy, Debug)]
pub(crate) struct DiskSize {
    /// Bytes in all.
    pub(crate) bytes: u64,
    /// Files in all; 0 if they are not limited.
    pub(crate) files: u64,
}
