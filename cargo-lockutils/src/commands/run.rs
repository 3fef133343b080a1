//! `cargo lockutils run`: runs any command with an isolated lock path.

use std::ffi::OsString;
use std::process::Command;

use anyhow::Result;

use crate::child;
use crate::cli::DirectoryOptions;
use crate::lock_directory::{LockDirectory, VARIABLE};
use crate::run_mark::RunMark;
use crate::sys::Status;

pub fn run(options: &DirectoryOptions, command: &[OsString]) -> Result<Status> {
    let directory = LockDirectory::make(options)?;
    let mark = RunMark::new();
    let guardian = directory.guard(Some(&mark))?;
    let mut child = Command::new(&command[0]);
    child
        .args(&command[1..])
        .env(VARIABLE, directory.lock_path());
    let ended = child::run(child, &mark, Some(&guardian));
    if let Ok(ended) = &ended {
        ended.end_what_is_left();
    }
    let failed = !matches!(&ended, Ok(ended) if ended.status == 0);
    let unused = matches!(&ended, Ok(ended) if ended.left_nothing());
    directory.finish(failed, unused)?;
    guardian.dismiss();
    Ok(ended?.status)
}
