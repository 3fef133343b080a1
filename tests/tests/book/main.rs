//! The book in `docs/`: it is complete, its links have targets, and its commands do what it says.

mod commands;
mod links;
mod page;
