//! The system's own locks. The file stays, and each acquire opens it again.

#[cfg(unix)]
mod unix;
#[cfg(windows)]
mod windows;

#[cfg(unix)]
use unix as platform;
#[cfg(windows)]
use windows as platform;

use std::error::Error;

pub use platform::{CAPABILITIES, Call, FORKS, Raw};

/// Runs `act` in a forked child and waits until the child exits.
///
/// # Errors
/// The system has no fork(2), or no room for another process.
pub fn in_child(act: impl FnOnce()) -> Result<(), Box<dyn Error>> {
    platform::in_child(act)
}
