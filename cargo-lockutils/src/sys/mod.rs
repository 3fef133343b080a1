//! The operating system: small things that differ, each with what it does on every system.
//!
//! Larger ones have a seam of their own, with a file for each system: `child/`, `guardian/`,
//! `lock_scan/`, `builtin/kernel/` and `commands/clean/removal/`.

#[cfg(unix)]
mod unix;
#[cfg(windows)]
mod windows;

use std::fs::Metadata;
use std::io;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode};

#[cfg(unix)]
use unix as platform;
#[cfg(unix)]
pub use unix::lock_whole_file;
#[cfg(any(target_os = "macos", target_os = "freebsd"))]
pub use unix::whole_file;
#[cfg(windows)]
use windows as platform;

/// Exit status of a process: 0 to 255 on Unix, any 32 bits on Windows.
pub type Status = i32;

/// The exit code of this process for a status. On Windows it may end the process here, since
/// [`ExitCode`] takes eight bits only.
pub fn exit_code(status: Status) -> ExitCode {
    platform::exit_code(status)
}

/// Creates a directory that other users may not enter.
pub fn create_private_directory(path: &Path) -> io::Result<()> {
    platform::create_private_directory(path)
}

/// Returns `true` if the file belongs to this user, as far as the system tells at once.
pub fn is_ours(metadata: &Metadata) -> bool {
    platform::is_ours(metadata)
}

/// Number of names of the file, or 1 where the metadata has no number.
pub fn number_of_names(metadata: &Metadata) -> u64 {
    platform::number_of_names(metadata)
}

/// Makes `link` another name of a program.
pub fn link_program(program: &Path, link: &Path) -> io::Result<()> {
    platform::link_program(program, link)
}

/// The absolute path, in the form that other programs take.
pub fn canonical(path: &Path) -> io::Result<PathBuf> {
    platform::canonical(path)
}

/// Lets everyone execute the file, where that takes a permission.
pub fn make_executable(path: &Path) -> io::Result<()> {
    platform::make_executable(path)
}

/// Lets this user change the directory or file.
pub fn make_accessible(path: &Path) {
    platform::make_accessible(path);
}

/// `true` if a directory cannot be removed while a process has a file in it open, which may be for
/// a moment longer than the process lives.
pub const OPEN_FILES_STAY: bool = platform::OPEN_FILES_STAY;

/// The environment variable that names the temporary directory.
pub const TEMPORARY: &str = platform::TEMPORARY;

/// Signals that interrupt a trial.
pub const INTERRUPTS: &[i32] = platform::INTERRUPTS;

/// Replaces this process with the command, or runs it and returns its status.
///
/// # Errors
/// The command cannot be run.
pub fn become_command(command: Command) -> io::Result<Status> {
    platform::become_command(command)
}

/// The available facilities, for `--version --verbose`: a name and a description, one line each.
pub fn facts() -> Vec<(&'static str, &'static str)> {
    let explore = match NO_EXPLORE {
        None => "yes",
        Some(_) => "no: needs ptrace(2) and seccomp(2) of Linux",
    };
    let mut facts = vec![("explore", explore)];
    facts.extend_from_slice(platform::FACTS);
    facts
}

/// The reason why `explore` is not available here, with the next step.
pub const NO_EXPLORE: Option<&str> = match cfg!(target_os = "linux") {
    true => None,
    false => Some(
        "it schedules system calls by ptrace(2) and seccomp(2) of Linux: run it there, or in a \
         container; `stress` runs here",
    ),
};
