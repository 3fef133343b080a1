//! The command that a wrapper runs under its lock. Not available here.

use std::io;
use std::path::{Path, PathBuf};

use crate::workers::names;
pub use names::{CONTROL, LEFT, NAME};

/// The directory of the probe if this program was called as one: never.
pub fn called_as(_program: &Path) -> Option<PathBuf> {
    None
}

/// Runs the critical section.
///
/// # Errors
/// Always: wrappers are not available.
pub fn run(_control: &Path) -> io::Result<()> {
    Err(super::wrapper::not_available())
}
