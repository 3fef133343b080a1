//! The built command, end to end, on small projects made for the purpose.
//!
//! Linux only, since they look into /proc; `tests/platforms.rs` has what holds everywhere.
#![cfg(target_os = "linux")]

mod cargo_arguments;
mod cargo_configuration;
mod clean;
mod completions;
mod configuration;
mod directory;
mod exit_status;
mod explore;
mod help;
mod holder;
mod init;
mod isolation;
mod leaks;
mod left_behind;
mod ls;
mod messages;
mod output_safety;
mod project;
mod promises;
mod reference;
mod repeated;
mod schema;
mod shapes;
mod signals;
mod stress;
mod with;
