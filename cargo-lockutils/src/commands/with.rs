//! `cargo lockutils with`: runs any command that runs tests, with the isolation of `test`.

use std::ffi::OsString;

use anyhow::Result;

use crate::cargo_run::CargoRun;
use crate::cli::TestOptions;
use crate::sys::Status;

pub fn run(options: TestOptions, command: &[OsString]) -> Result<Status> {
    let run = CargoRun::of_command(options, command)?;
    run.repeat(|once| once.command(command))
}
