//! Systems other than Linux: the types of a search without what performs its steps. No value of
//! [`Controller`](controller::Controller) exists, and a search ends before it needs one.

/// Processors.
pub(super) mod arch {
    /// Not even the processor matters.
    pub const SUPPORTED: bool = true;
}

pub(super) mod controller;
pub(super) mod run;
pub(super) mod syscalls;
