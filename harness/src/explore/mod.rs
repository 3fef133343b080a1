//! Searches interleavings: runs the workers of a lock under a scheduler, one system call at a time,
//! to find an order in which two of them are in the section at once.
//!
//! Workers are unmodified processes in any language, traced with ptrace(2). Every call that touches
//! the lock's directory stops, and so does every sleep. Lock calls that would wait are tried
//! without waiting, and sleeps return at once. No other result is altered. Shared memory, servers,
//! and calls that do not touch the directory are not scheduled.

mod command;
pub mod counterexample;
mod deaths;
mod end;
mod error;
mod explorers;
mod found;
mod illustrate;
mod moves;
mod neighbors;
mod outcome;
#[cfg_attr(
    not(target_os = "linux"),
    allow(dead_code, unused_imports, reason = "no request is ever seen there")
)]
mod requests;
mod run_config;
mod schedule;
mod schedules;
mod search;
mod shrink;
pub mod story;
mod strategy;
mod trace;

#[cfg(target_os = "linux")]
mod arch;
#[cfg(target_os = "linux")]
mod controller;
#[cfg(target_os = "linux")]
mod entry;
#[cfg(target_os = "linux")]
mod lock_files;
#[cfg(target_os = "linux")]
mod printable;
#[cfg(target_os = "linux")]
mod run;
#[cfg(target_os = "linux")]
mod syscalls;
#[cfg(target_os = "linux")]
mod tracer;

// The same names for other systems: everything compiles, and a search fails with a message.
#[cfg(not(target_os = "linux"))]
mod elsewhere;
#[cfg(not(target_os = "linux"))]
use elsewhere::{arch, controller, run, syscalls};

pub use command::Command;
pub use controller::Controller;
pub use end::{End, FailureReason, StuckReason};
pub use error::ExploreError;
pub use found::Found;
pub use moves::{Move, switches};
pub use outcome::{Saved, outcome};
pub use schedules::Planner;
pub use search::{Budget, Progress, Search, adopt_orphans};
pub use strategy::{Choice, NotAShard, Shard};
pub use trace::Trace;
