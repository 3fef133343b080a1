//! The tests of oslo.concurrency and fasteners with their Rust counterparts:
//! `tests/upstream/*.toml`, one file for each of their test modules.
//!
//! `cargo run -p lockutils-tests --bin upstream-page` writes the list as a page of the
//! documentation.

pub mod list;
pub mod migration;
pub mod page;
mod rust_source;
pub mod rust_tests;

use std::path::{Path, PathBuf};

/// The folder of the workspace.
///
/// # Panics
/// Panics if this crate is not in it.
pub fn workspace() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .parent()
        .expect("this crate is a member of a workspace")
        .to_owned()
}
