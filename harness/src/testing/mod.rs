//! Tests of locks, written in Rust: fixtures, stress runs, exploration, conformance, random programs.

pub mod checker;
pub mod conformance;
#[cfg(feature = "explore")]
pub mod explore;
pub mod finding;
#[cfg(feature = "rstest")]
pub mod fixtures;
mod forking;
pub mod history;
mod lock;
#[cfg(feature = "proptest")]
pub mod programs;
pub mod stress;
pub mod witness;

pub use forking::Outcome;
