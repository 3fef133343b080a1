//! `cargo lockutils test`: cargo test with an isolated lock path.

use anyhow::{Result, anyhow};

use crate::PassedOn;
use crate::cargo_run::CargoRun;
use crate::cli::{Isolate, TestOptions};

/// What selects targets, so that cargo runs no doctests besides.
const TARGETS: [&str; 10] = [
    "--lib",
    "--bins",
    "--bin",
    "--examples",
    "--example",
    "--tests",
    "--test",
    "--benches",
    "--bench",
    "--all-targets",
];

pub fn run(options: TestOptions, color: Option<&'static str>, passed_on: PassedOn) -> Result<u8> {
    let (mut run, passed_on) = CargoRun::prepare("test", options, color, passed_on)?;
    let status = match run.isolate() {
        Isolate::Run => run.cargo(&["test"], &passed_on, false),
        Isolate::Binary => isolated(&mut run, &passed_on),
        Isolate::Test => Err(anyhow!(
            "`cargo test` runs the tests of a binary in one process, which has one lock path: use `--isolate binary`, or \
             `cargo lockutils nextest --isolate test`"
        )),
    };
    run.finish_with(status)
}

/// Doctests run without our runner, under which rustdoc would no longer give each a process of its own (rust-lang/rust 141064).
fn isolated(run: &mut CargoRun, passed_on: &PassedOn) -> Result<u8> {
    if is_given(&["--doc"], passed_on) {
        return run.cargo(&["test"], passed_on, false);
    }
    if is_given(&TARGETS, passed_on) {
        return run.cargo(&["test"], passed_on, true);
    }
    let status = run.cargo(&["test", "--tests"], passed_on, true)?;
    if !run.has_library() || (status != 0 && !is_given(&["--no-fail-fast"], passed_on)) {
        return Ok(status);
    }
    let doctests = run.cargo(&["test", "--doc"], passed_on, false)?;
    Ok(if status == 0 { doctests } else { status })
}

fn is_given(options: &[&str], arguments: &PassedOn) -> bool {
    arguments
        .iter()
        .map_while(|argument| argument.to_str().filter(|argument| *argument != "--"))
        .any(|argument| {
            let name = argument.split_once('=').map_or(argument, |(name, _)| name);
            options.contains(&name)
        })
}
