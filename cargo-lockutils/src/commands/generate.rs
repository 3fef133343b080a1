//! `cargo lockutils completions` and `man`, from the definition of the command line.

use std::fs;
use std::path::Path;

use anyhow::{Context, Result};
use clap::CommandFactory;

use crate::cli::Cli;
use crate::output;
use crate::sys::Status;

/// Name of the program without cargo, which cannot complete the arguments of its subcommands.
const PROGRAM: &str = "cargo-lockutils";

/// The definition under the program's own name, after which generated functions and pages are
/// named.
fn command() -> clap::Command {
    Cli::command().name(PROGRAM).bin_name(PROGRAM)
}

pub fn completions(shell: clap_complete::Shell) -> Result<Status> {
    let mut script = Vec::new();
    if shell != clap_complete::Shell::Bash {
        clap_complete::generate(shell, &mut command(), PROGRAM, &mut script);
        return print(&script);
    }
    // clap_complete's bash script spells a dash in the program's name in two ways and then finds no
    // subcommand. So it gets a name without a dash, and the lines that register the function are
    // corrected.
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

pub fn man() -> Result<Status> {
    let mut page = Vec::new();
    // There is no page for `help`.
    clap_mangen::Man::new(command().disable_help_subcommand(true)).render(&mut page)?;
    print(&page)
}

/// Writes a page for the program and one per subcommand, such as `cargo-lockutils-stress.1`.
pub fn man_pages(folder: &Path) -> Result<Status> {
    let problem = || format!("cannot write the man pages to {}", folder.display());
    fs::create_dir_all(folder).with_context(problem)?;
    clap_mangen::generate_to(command(), folder).with_context(problem)?;
    output::on_stdout(format_args!(
        "wrote the man pages to {}; to read the first: man {}",
        folder.display(),
        folder.join(PROGRAM).with_added_extension("1").display()
    ));
    Ok(0)
}

fn print(text: &[u8]) -> Result<Status> {
    output::result(String::from_utf8_lossy(text).trim_end())?;
    Ok(0)
}
