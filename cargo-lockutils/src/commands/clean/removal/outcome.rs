//! The outcome for one file.

/// The outcome for one file.
#[derive(Debug, PartialEq, Eq)]
pub enum Outcome {
    Removed,
    /// A process has the file open, and has perhaps locked it.
    InUse,
    /// Not a lock file, for this reason.
    NotALockFile(&'static str),
    /// It is unknown whether a process has the file open, for this reason.
    NotKnown(String),
    /// Another process has removed or replaced the file.
    Gone,
    /// Removed while another process was opening it and a third had already created a new file
    /// under the name.
    #[cfg_attr(
        windows,
        expect(dead_code, reason = "Windows keeps others from opening it")
    )]
    Torn,
}
