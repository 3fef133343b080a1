//! The book in `docs/`: it is complete, its links lead somewhere, and the commands that it shows do what it says.

mod commands;
mod links;
mod page;
