//! Tasks before their next call.

use nix::unistd::Pid;

use super::super::entry::Entry;
use super::super::syscalls::Call;

/// A task that is stopped before a call that matters.
#[derive(Clone, Debug)]
pub struct Parked {
    pub tid: Pid,
    pub entry: Entry,
    pub call: Call,
    /// The result of the call if it is a sleep, which is skipped.
    pub result: i64,
}
