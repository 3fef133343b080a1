//! Chooses every interleaving: runs the workers of a lock under a scheduler of our own, one system call at a time, and looks for the order in which two
//! of them are in the section.
//!
//! The workers are unmodified processes in any language, traced with ptrace(2). What stops is every call that touches the lock's directory,
//! and every sleep; lock calls that would wait are tried without waiting, and sleeps return at once. Results are never made up, but for a
//! sleep's: that time has passed. What is not seen: memory that processes share, servers, and the order of calls that do not touch the directory.

mod arch;
pub mod card;
mod command;
pub mod counterexample;
mod end;
mod entry;
mod error;
mod found;
mod lock_files;
mod part;
mod run;
mod schedule;
mod script;
mod search;
mod shrink;
mod stage;
pub mod story;
mod strategy;
mod syscalls;
mod trace;
mod tracer;

pub use end::{End, FailureReason, StuckReason};
pub use error::ExploreError;
pub use found::Found;
pub use schedule::switches;
pub use search::{Budget, Progress, Search};
pub use stage::Stage;
pub use strategy::Choice;
pub use trace::Trace;
