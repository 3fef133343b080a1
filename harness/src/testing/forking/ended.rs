//! The end of a worker process.

/// The end of a worker process, as the system reports it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Ended {
    /// With this exit status.
    Exited(i32),
    /// By a signal of this number, or killed by another process (9).
    Killed(i32),
    /// The test ended before it came to the run.
    #[cfg_attr(unix, expect(dead_code, reason = "forked processes begin in the run"))]
    Missed,
}
