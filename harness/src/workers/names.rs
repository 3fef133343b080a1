//! Names that workers and their driver agree on.

/// Variable that names the directory of one worker.
pub const CONTROL: &str = "LOCKUTILS_CONTROL";
/// Name under which a program acts as a probe.
pub const NAME: &str = "lockutils-section";
/// The last line of a probe, which shows that it stayed until it was asked to leave.
pub const LEFT: &str = "left";
