//! `cargo lockutils worker-check`: what a worker gets wrong.

use anstream::println;
use anyhow::{Result, anyhow};
use clap::builder::styling::{AnsiColor, Style};
use lockutils_harness::foreign::LockUnderTest;
use lockutils_harness::foreign::check::check;

use crate::cli::DirectoryOptions;
use crate::lock_directory::LockDirectory;

const GOOD: Style = AnsiColor::Green.on_default().bold();
const BAD: Style = AnsiColor::Red.on_default().bold();

pub fn run(command: Vec<String>) -> Result<u8> {
    let lock = LockUnderTest::worker(command)?;
    let directory = LockDirectory::make(&DirectoryOptions::default())?;
    let findings = check(&lock, directory.lock_path());
    directory.finish(false, true)?;
    let findings = findings.map_err(|why| anyhow!("{why}"))?;
    for finding in &findings {
        match &finding.wrong {
            None => println!("{GOOD}✔{GOOD:#} {}", finding.what),
            Some(wrong) => println!("{BAD}✘ {}{BAD:#}\n    {wrong}", finding.what),
        }
    }
    let wrong = findings
        .iter()
        .filter(|finding| finding.wrong.is_some())
        .count();
    match wrong {
        0 => println!("{GOOD}the worker speaks the protocol{GOOD:#}"),
        wrong => println!(
            "{BAD}{wrong} of {} are wrong{BAD:#}; docs/reference/protocol.md says what is expected",
            findings.len()
        ),
    }
    Ok(u8::from(wrong > 0))
}
