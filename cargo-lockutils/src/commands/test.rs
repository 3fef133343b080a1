//! `cargo lockutils test`: runs cargo test with an isolated lock path.

use anyhow::{Result, bail};

use crate::cargo_options::TEST;
use crate::cargo_run::{CargoRun, Runner};
use crate::cli::PassedOn;
use crate::cli::{Isolate, TestOptions};
use crate::sys::Status;

pub fn run(
    options: TestOptions,
    color: Option<&'static str>,
    passed_on: PassedOn,
) -> Result<Status> {
    let (run, passed_on) = CargoRun::prepare(Runner::Test, options, color, passed_on)?;
    if run.isolate() == Isolate::Test {
        bail!(
            "`cargo test` runs all tests of a binary in one process, with one lock path: use \
             `--isolate binary`, or `cargo lockutils nextest --isolate test`"
        );
    }
    run.repeat(|once| once.cargo(&["test"], TEST, &passed_on, true))
}
