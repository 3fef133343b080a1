//! `cargo lockutils completions` and `man`, from the definition of the command line.

use anyhow::Result;
use clap::CommandFactory;

use crate::cli::Cli;
use crate::say;

/// The name of the program when it is called without cargo, which has no way to complete for its subcommands.
const PROGRAM: &str = "cargo-lockutils";

pub fn completions(shell: clap_complete::Shell) -> Result<u8> {
    let mut command = Cli::command().bin_name(PROGRAM);
    let mut script = Vec::new();
    clap_complete::generate(shell, &mut command, PROGRAM, &mut script);
    print(&script)
}

pub fn man() -> Result<u8> {
    let mut page = Vec::new();
    clap_mangen::Man::new(Cli::command().name(PROGRAM).bin_name(PROGRAM)).render(&mut page)?;
    print(&page)
}

fn print(text: &[u8]) -> Result<u8> {
    say::result(String::from_utf8_lossy(text).trim_end())?;
    Ok(0)
}
