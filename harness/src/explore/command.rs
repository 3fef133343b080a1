//! Commands for a worker.

use std::fmt;

use crate::model::Verb;

/// A command from the driver.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Command {
    /// A line of the protocol.
    Verb(Verb),
    /// Exit: end of input, or `quit` for the child of a zygote.
    Leave,
}

impl fmt::Display for Command {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Command::Verb(verb) => verb.fmt(f),
            Command::Leave => f.write_str("leave"),
        }
    }
}
