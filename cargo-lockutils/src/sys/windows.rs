//! Windows.

use std::fs::{self, Metadata};
use std::io;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode};

use signal_hook::consts::{SIGINT, SIGTERM};

pub fn exit_code(status: i32) -> ExitCode {
    match u8::try_from(status) {
        Ok(status) => ExitCode::from(status),
        Err(_) => std::process::exit(status),
    }
}

/// Temporary directories are below the profile of the user, which others may not enter.
pub fn create_private_directory(path: &Path) -> io::Result<()> {
    fs::create_dir(path)
}

pub fn is_ours(_: &Metadata) -> bool {
    true
}

pub fn number_of_names(_: &Metadata) -> u64 {
    1
}

/// Symbolic links take a privilege, and hard links one volume.
pub fn link_program(program: &Path, link: &Path) -> io::Result<()> {
    fs::hard_link(program, link).or_else(|_| fs::copy(program, link).map(drop))
}

/// Many programs do not take the paths that `canonicalize` returns, which begin with `\\?\`.
pub fn canonical(path: &Path) -> io::Result<PathBuf> {
    std::path::absolute(path)
}

pub fn make_executable(_: &Path) -> io::Result<()> {
    Ok(())
}

pub fn make_accessible(path: &Path) {
    if let Ok(metadata) = fs::symlink_metadata(path) {
        let mut permissions = metadata.permissions();
        #[expect(
            clippy::permissions_set_readonly_false,
            reason = "on Windows it makes nothing accessible to others"
        )]
        permissions.set_readonly(false);
        let _ = fs::set_permissions(path, permissions);
    }
}

pub const OPEN_FILES_STAY: bool = true;

pub const TEMPORARY: &str = "TMP";

pub const INTERRUPTS: &[i32] = &[SIGINT, SIGTERM];

/// Ctrl-C goes to the command as well; this process waits for what it does about it.
pub fn become_command(mut command: Command) -> io::Result<i32> {
    // A handler that only takes note keeps this process alive.
    let noted = std::sync::Arc::default();
    signal_hook::flag::register(SIGINT, noted)?;
    let status = command.status()?;
    Ok(status.code().unwrap_or(1))
}

pub const FACTS: &[(&str, &str)] = &[
    ("fork", "no: Windows has none; workers are started"),
    (
        "signals",
        "no: Windows has none; Ctrl-C reaches the command, and a second one ends it",
    ),
    (
        "who holds a lock",
        "who has the file open, by the Restart Manager",
    ),
    ("built-in locks", "oslo, oslo-fair, lockfileex"),
    (
        "after a kill",
        "a job object ends the run, and a guardian removes its directory",
    ),
];
