//! `cargo lockutils with`: runs any command that runs tests, with the isolation of `test`.

use std::ffi::OsString;

use anyhow::Result;

use crate::cargo_run::CargoRun;
use crate::cli::TestOptions;

pub fn run(options: TestOptions, command: &[OsString]) -> Result<u8> {
    let run = CargoRun::of_command(options, command)?;
    run.repeat(|once| once.command(command))
}
