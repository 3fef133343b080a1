//! Errors of servers.

use std::io;

use super::engine::UnknownEngine;

/// The reason why a server cannot be used.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ServerError {
    /// The engine has no data file.
    #[error(transparent)]
    Unknown(#[from] UnknownEngine),
    /// The address is malformed.
    #[error("`{0}` is not a server: write HOST:PORT or ENGINE://HOST:PORT")]
    Address(String),
    /// A program, or another file, is not installed.
    #[error("{engine} needs `{program}`: install the Debian package {package}")]
    Missing {
        engine: String,
        program: String,
        package: String,
    },
    /// The server did not start.
    #[error("{engine} cannot be started: {error}")]
    Start {
        engine: String,
        #[source]
        error: io::Error,
    },
    /// A program that prepares the directory failed.
    #[error("{engine} cannot be started: {program} failed: {why}")]
    Prepare {
        engine: String,
        program: String,
        why: String,
    },
    /// The server ended or did not become ready.
    #[error("{engine} did not become ready: {why}")]
    NotReady { engine: String, why: String },
    /// An administrative command failed.
    #[error("the server {address} cannot be {done}: {error}")]
    Command {
        address: String,
        /// What should be done, as a past participle.
        done: &'static str,
        #[source]
        error: io::Error,
    },
}
