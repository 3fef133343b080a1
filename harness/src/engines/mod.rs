//! Servers that keep locks, such as Redis: data files that say how an engine is started, asked and
//! reset, and the servers of a run.

mod admin;
mod engine;
mod error;
mod key;
mod lease;
mod programs;
mod server;
mod started;

pub use engine::{Engine, UnknownEngine};
pub use error::ServerError;
pub use key::Key;
pub use lease::Lease;
pub use server::Server;
