//! The hidden subcommand that cargo and nextest run instead of a test binary under `--isolate`.

use std::env;
use std::ffi::{OsStr, OsString};
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, anyhow};

use crate::cli::Isolate;
use crate::lock_directory::VARIABLE;
use crate::sys::{Status, become_command};

/// Replaces this process with the test binary, with its own lock path below that of the run.
///
/// `command` is the project's own runner, if any, followed by the test binary and its arguments.
pub fn run(isolate: Isolate, command: &[OsString]) -> Result<Status> {
    let of_the_run = env::var_os(VARIABLE).map(PathBuf::from).ok_or_else(|| {
        anyhow!("{VARIABLE} is not set; only `cargo lockutils test` may call this subcommand")
    })?;
    let mut child = Command::new(&command[0]);
    child.args(&command[1..]);
    if is_doctest(&command[0]) {
        // Without a runner, rustdoc sets this variable, so that each doctest of a merged program
        // gets its own process. With a runner, it does not (rust-lang/rust 141064).
        child.env("RUSTDOC_DOCTEST_BIN_PATH", &command[0]);
    }
    if !command.iter().any(|word| is_doctest(word)) {
        child.env(VARIABLE, directory(isolate, &of_the_run, command)?);
    }
    become_command(child)
        .with_context(|| format!("cannot run {}", Path::new(&command[0]).display()))
}

/// Returns `true` for a doctest, which rustdoc compiles into a temporary folder. Doctests are many
/// and short, so they share the lock path of the run.
fn is_doctest(program: &OsStr) -> bool {
    let is_of_rustdoc = |part: &OsStr| part.to_string_lossy().starts_with("rustdoctest");
    Path::new(program).iter().any(is_of_rustdoc)
}

fn directory(isolate: Isolate, of_the_run: &Path, command: &[OsString]) -> Result<PathBuf> {
    let problem = || format!("cannot create a lock path in {}", of_the_run.display());
    match isolate {
        Isolate::Run => Ok(of_the_run.to_owned()),
        Isolate::Binary => {
            let path = of_the_run.join(name_of_binary(command));
            fs::create_dir_all(&path).with_context(problem)?;
            Ok(path)
        }
        Isolate::Test => Ok(tempfile::Builder::new()
            .prefix("test-")
            .tempdir_in(of_the_run)
            .with_context(problem)?
            .keep()),
    }
}

/// The file name of the test binary, which is in cargo's `deps` and ends in a hash.
fn name_of_binary(command: &[OsString]) -> OsString {
    let is_test_binary = |word: &&OsString| {
        Path::new(word)
            .parent()
            .is_some_and(|parent| parent.ends_with("deps"))
    };
    let binary = command.iter().find(is_test_binary).unwrap_or(&command[0]);
    Path::new(binary).file_name().unwrap_or(binary).to_owned()
}
