//! The guardian on macOS and FreeBSD, which is told the process groups of the run.

use std::io::{self, PipeReader};
use std::path::Path;

use nix::sys::signal::{Signal, killpg};
use nix::unistd::Pid;

use super::executed::executed;
use super::groups;
use crate::run_mark::RunMark;

/// Starts the guardian, which executes this program and so needs no function to call.
pub fn start(
    reader: PipeReader,
    mark: Option<&RunMark>,
    directory: Option<&Path>,
    _watch: fn(Option<&RunMark>, Option<&Path>),
) -> io::Result<u32> {
    executed(reader, mark, directory)
}

/// Its command line tells what it is.
pub fn call_this_process() {}

/// Kills the process groups that were `told`. Returns `true` if there were none.
pub fn end_all(_: Option<&RunMark>, _: Option<&Path>, told: &[u8]) -> bool {
    let mut nothing = true;
    for group in groups::of(told) {
        nothing &= killpg(Pid::from_raw(group), Signal::SIGKILL).is_err();
    }
    nothing
}
