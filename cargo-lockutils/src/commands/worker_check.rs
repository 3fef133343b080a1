//! `cargo lockutils worker-check`: checks that a worker speaks the line protocol.

use anyhow::Result;
use clap::builder::styling::{AnsiColor, Style};
use lockutils_harness::workers::LockUnderTest;
use lockutils_harness::workers::check::check;

use crate::lock_directory::LockDirectory;
use crate::output;
use crate::sys::Status;

const GOOD: Style = AnsiColor::Green.on_default().bold();
const BAD: Style = AnsiColor::Red.on_default().bold();

pub fn run(command: Vec<String>) -> Result<Status> {
    let lock = LockUnderTest::worker(command)?;
    let findings = LockDirectory::with_fresh(|lock_path| check(&lock, lock_path))??;
    for finding in &findings {
        match &finding.wrong {
            None => output::on_stdout(format_args!("{GOOD}✔{GOOD:#} {}", finding.what)),
            Some(wrong) => {
                output::on_stdout(format_args!("{BAD}✘ {}{BAD:#}\n    {wrong}", finding.what))
            }
        }
    }
    let wrong = findings
        .iter()
        .filter(|finding| finding.wrong.is_some())
        .count();
    match wrong {
        0 => output::on_stdout(format_args!("{GOOD}the worker speaks the protocol{GOOD:#}")),
        wrong => output::on_stdout(format_args!(
            "{BAD}{wrong} of {} checks failed{BAD:#}; docs/reference/protocol.md describes the \
             protocol",
            findings.len()
        )),
    }
    Ok(Status::from(wrong > 0))
}
