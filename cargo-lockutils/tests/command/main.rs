//! The built command, end to end, on small projects made for the purpose.

mod configuration;
mod directory;
mod exit_status;
mod explore;
mod help;
mod isolation;
mod leaks;
mod project;
mod reference;
mod signals;
mod stress;
