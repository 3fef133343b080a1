//! `cargo lockutils completions` and `man`, from the definition of the command line.

use std::fs;
use std::path::Path;

use anyhow::{Context, Result};
use clap::CommandFactory;

use crate::cli::Cli;
use crate::say;

/// The name of the program when it is called without cargo, which has no way to complete for its
/// subcommands.
const PROGRAM: &str = "cargo-lockutils";

/// The definition under the program's own name, from which the generated functions and pages are
/// named.
fn command() -> clap::Command {
    Cli::command().name(PROGRAM).bin_name(PROGRAM)
}

pub fn completions(shell: clap_complete::Shell) -> Result<u8> {
    let mut script = Vec::new();
    if shell != clap_complete::Shell::Bash {
        clap_complete::generate(shell, &mut command(), PROGRAM, &mut script);
        return print(&script);
    }
    // In its script for bash, clap_complete writes a dash of the program's name in two ways, so
    // that no subcommand is found. It is given a name without one, and the last word of each line
    // that registers the function is put right.
    let name = PROGRAM.replace('-', "_");
    let mut command = Cli::command()
        .name("cargo_lockutils")
        .bin_name("cargo_lockutils");
    clap_complete::generate(shell, &mut command, &name, &mut script);
    let script = String::from_utf8_lossy(&script);
    let lines: Vec<String> = script
        .lines()
        .map(|line| match line.trim_start().starts_with("complete -F ") {
            true => line.replace(&format!(" {name}"), &format!(" {PROGRAM}")),
            false => line.to_owned(),
        })
        .collect();
    print(lines.join("\n").as_bytes())
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
