//! `cargo lockutils completions` and `man`, from the definition of the command line.

use std::fs;
use std::path::Path;

use anyhow::{Context, Result};
use clap::CommandFactory;

use crate::cli::Cli;
use crate::say;

/// The name of the program when it is called without cargo, which has no way to complete for its subcommands.
const PROGRAM: &str = "cargo-lockutils";

/// The definition under the program's own name, from which the generated functions and pages are named.
fn command() -> clap::Command {
    Cli::command().name(PROGRAM).bin_name(PROGRAM)
}

pub fn completions(shell: clap_complete::Shell) -> Result<u8> {
    let mut script = Vec::new();
    clap_complete::generate(shell, &mut command(), PROGRAM, &mut script);
    print(&script)
}

pub fn man() -> Result<u8> {
    let mut page = Vec::new();
    // A page of `help` would say nothing, and there is none.
    clap_mangen::Man::new(command().disable_help_subcommand(true)).render(&mut page)?;
    print(&page)
}

/// A page for the program and one for each subcommand, `cargo-lockutils-stress.1`.
pub fn man_pages(folder: &Path) -> Result<u8> {
    let problem = || format!("the man pages cannot be written into {}", folder.display());
    fs::create_dir_all(folder).with_context(problem)?;
    clap_mangen::generate_to(command(), folder).with_context(problem)?;
    say::on_stdout(format_args!(
        "the man pages are in {}: `man {}` shows the first, once the folder is the `man1` of one that MANPATH names",
        folder.display(),
        folder.join(PROGRAM).with_added_extension("1").display()
    ));
    Ok(0)
}

fn print(text: &[u8]) -> Result<u8> {
    say::result(String::from_utf8_lossy(text).trim_end())?;
    Ok(0)
}
