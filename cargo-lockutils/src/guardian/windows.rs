//! The guardian on Windows, which has no console, so that neither Ctrl-C nor its end reaches it.

use std::io::{self, PipeReader};
use std::os::windows::process::CommandExt;
use std::path::Path;

use windows_sys::Win32::System::Threading::{
    CREATE_BREAKAWAY_FROM_JOB, CREATE_NEW_PROCESS_GROUP, DETACHED_PROCESS,
};

use super::executed::command;
use crate::run_mark::RunMark;

/// Starts the guardian, which executes this program and so needs no function to call.
///
/// If we run within the job of another run, which ends what is left in it, the guardian leaves that
/// job. Other jobs may not allow that.
pub fn start(
    reader: PipeReader,
    mark: Option<&RunMark>,
    directory: Option<&Path>,
    _watch: fn(Option<&RunMark>, Option<&Path>),
) -> io::Result<u32> {
    let flags = DETACHED_PROCESS | CREATE_NEW_PROCESS_GROUP;
    let outside = command(reader.try_clone()?, mark, directory)?
        .creation_flags(flags | CREATE_BREAKAWAY_FROM_JOB)
        .spawn();
    let guardian = match outside {
        Ok(guardian) => guardian,
        Err(_) => command(reader, mark, directory)?
            .creation_flags(flags)
            .spawn()?,
    };
    Ok(guardian.id())
}

/// Its command line tells what it is.
pub fn call_this_process() {}

/// The system has ended the job of the run, with the last handle of it.
pub fn end_all(_: Option<&RunMark>, _: Option<&Path>, _told: &[u8]) -> bool {
    true
}
