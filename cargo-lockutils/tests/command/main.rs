//! The built command, end to end, on small projects made for the purpose.

mod cargo_arguments;
mod cargo_configuration;
mod clean;
mod configuration;
mod directory;
mod exit_status;
mod explore;
mod help;
mod holder;
mod isolation;
mod leaks;
mod ls;
mod project;
mod reference;
mod schema;
mod shapes;
mod signals;
mod stress;
