//! Errors of explorations in tests.

use std::io;

/// The reason why an exploration did not run.
#[derive(Debug, thiserror::Error)]
pub(super) enum ExploreError {
    #[error("the path of this test program is unknown: {0}")]
    TestProgram(io::Error),
    #[error("cannot create a directory for the lock: {0}")]
    Directory(io::Error),
    /// An error of the exploration engine, in its own words.
    #[error("{0}")]
    Engine(String),
    #[error("the exploration panicked")]
    Panicked,
}

impl ExploreError {
    pub(super) fn engine(error: impl ToString) -> Self {
        ExploreError::Engine(error.to_string())
    }
}
