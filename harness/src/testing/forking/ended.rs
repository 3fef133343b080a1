//! The end of a worker process.

/// How a worker process has ended, as the system tells.
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
