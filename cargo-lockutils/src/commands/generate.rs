//! `cargo lockutils completions` and `man`, from the definition of the command line.

use std::io;

use anyhow::{Context, Result};
use clap::CommandFactory;

use crate::cli::Cli;

/// The name of the program when it is called without cargo, which has no way to complete for its subcommands.
const PROGRAM: &str = "cargo-lockutils";

pub fn completions(shell: clap_complete::Shell) -> Result<u8> {
    let mut command = Cli::command().bin_name(PROGRAM);
    clap_complete::generate(shell, &mut command, PROGRAM, &mut io::stdout());
    Ok(0)
}

pub fn man() -> Result<u8> {
    clap_mangen::Man::new(Cli::command().name(PROGRAM).bin_name(PROGRAM))
        .render(&mut io::stdout())
        .context("the man page cannot be printed")?;
    Ok(0)
}
