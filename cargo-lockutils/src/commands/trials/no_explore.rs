//! `explore` and `replay` where they cannot run.

use std::path::Path;

use anyhow::{Result, bail};

use crate::cli::ExploreOptions;
use crate::sys::{NO_EXPLORE, Status};

/// # Errors
/// Always: it says why, and what to do.
pub fn explore(_: &ExploreOptions) -> Result<Status> {
    bail!("`explore` is not available on this system: {NO_EXPLORE}");
}

/// # Errors
/// Always: it says why, and what to do.
pub fn replay(_: &Path, _: Option<usize>) -> Result<Status> {
    bail!("`replay` is not available on this system: {NO_EXPLORE}");
}
