//! Searches interleavings: runs the workers of a lock under a scheduler, one system call at a time,
//! to find an order in which two of them are in the section at once.
//!
//! Workers are unmodified processes in any language, traced with ptrace(2). Every call that touches
//! the lock's directory stops, and so does every sleep. Lock calls that would wait are tried
//! without waiting, and sleeps return at once. No other result is altered. Shared memory, servers,
//! and calls that do not touch the directory are not scheduled.

mod arch;
mod command;
mod controller;
pub mod counterexample;
mod end;
mod entry;
mod error;
mod found;
mod lock_files;
mod outcome;
mod run;
mod schedule;
mod search;
mod shrink;
pub mod story;
mod strategy;
mod syscalls;
mod trace;
mod tracer;

pub use command::Command;
pub use controller::Controller;
pub use end::{End, FailureReason, StuckReason};
pub use error::ExploreError;
pub use found::Found;
pub use outcome::{Saved, outcome};
pub use schedule::switches;
pub use search::{Budget, Progress, Search};
pub use strategy::Choice;
pub use trace::Trace;
