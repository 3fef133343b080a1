//! A worker from a command that runs another one under a lock. Not available here.

use std::io;

/// Serves the protocol for the wrapper command `words`.
///
/// # Errors
/// Always: wrappers are not available.
pub fn run(_words: Vec<String>, _busy_status: Option<u8>) -> io::Result<()> {
    Err(not_available())
}

pub(super) fn not_available() -> io::Error {
    io::Error::new(
        io::ErrorKind::Unsupported,
        crate::workers::UsageError::NoWrappers,
    )
}
