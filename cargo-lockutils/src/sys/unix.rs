//! Unix.

use std::fs::{self, DirBuilder, File, Metadata, Permissions};
use std::io;
use std::os::fd::AsRawFd;
use std::os::unix::fs::{DirBuilderExt, MetadataExt, PermissionsExt};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode};

use nix::libc;
use signal_hook::consts::{SIGHUP, SIGINT, SIGTERM};

pub fn exit_code(status: i32) -> ExitCode {
    ExitCode::from(status as u8)
}

pub fn create_private_directory(path: &Path) -> io::Result<()> {
    DirBuilder::new().mode(0o700).create(path)
}

pub fn is_ours(metadata: &Metadata) -> bool {
    metadata.uid() == nix::unistd::getuid().as_raw()
}

pub fn number_of_names(metadata: &Metadata) -> u64 {
    metadata.nlink()
}

pub fn link_program(program: &Path, link: &Path) -> io::Result<()> {
    std::os::unix::fs::symlink(program, link)
}

pub fn canonical(path: &Path) -> io::Result<PathBuf> {
    fs::canonicalize(path)
}

pub fn make_executable(path: &Path) -> io::Result<()> {
    fs::set_permissions(path, Permissions::from_mode(0o755))
}

pub fn make_accessible(path: &Path) {
    // The permissions of a file do not keep its directory from being removed.
    if path.is_dir() {
        let _ = fs::set_permissions(path, Permissions::from_mode(0o700));
    }
}

pub const OPEN_FILES_STAY: bool = false;

pub const TEMPORARY: &str = "TMPDIR";

pub const INTERRUPTS: &[i32] = &[SIGINT, SIGTERM, SIGHUP];

pub fn become_command(mut command: Command) -> io::Result<i32> {
    Err(command.exec())
}

#[cfg(target_os = "linux")]
pub const FACTS: &[(&str, &str)] = &[
    ("fork", "yes"),
    ("signals", "yes"),
    ("who holds a lock", "yes, by /proc"),
    ("built-in locks", "oslo, oslo-fair, flock, fcntl, ofd"),
    (
        "after SIGKILL",
        "a guardian ends the run and removes its directory",
    ),
];
#[cfg(target_os = "macos")]
pub const FACTS: &[(&str, &str)] = &[
    ("fork", "yes"),
    ("signals", "yes"),
    (
        "who holds a lock",
        "record locks by fcntl(2); who has the file open by lsof(8)",
    ),
    ("built-in locks", "oslo, oslo-fair, flock, fcntl, ofd"),
    (
        "after SIGKILL",
        "a guardian ends the process group of the run and removes its directory",
    ),
];
#[cfg(target_os = "freebsd")]
pub const FACTS: &[(&str, &str)] = &[
    ("fork", "yes"),
    ("signals", "yes"),
    (
        "who holds a lock",
        "record locks by fcntl(2); who has the file open by fstat(1)",
    ),
    ("built-in locks", "oslo, oslo-fair, flock, fcntl"),
    (
        "after SIGKILL",
        "a guardian ends the process group of the run and removes its directory",
    ),
];

/// A request of fcntl(2) for a lock of the kind `kind` on a whole file.
pub fn whole_file(kind: libc::c_short) -> libc::flock {
    libc::flock {
        l_type: kind,
        l_whence: libc::SEEK_SET as libc::c_short,
        l_start: 0,
        l_len: 0,
        l_pid: 0,
        #[cfg(target_os = "freebsd")]
        l_sysid: 0,
    }
}

/// Applies a lock of the kind `kind` to the whole file by fcntl(2) with `command`. Returns `false`
/// if another lock conflicts with it.
///
/// # Errors
/// Returns an error if the system refuses the lock.
pub fn lock_whole_file(file: &File, command: libc::c_int, kind: libc::c_short) -> io::Result<bool> {
    let request = whole_file(kind);
    // SAFETY: the descriptor is open, and these commands only read the request.
    if unsafe { libc::fcntl(file.as_raw_fd(), command, &request) } == 0 {
        return Ok(true);
    }
    let error = io::Error::last_os_error();
    match error.raw_os_error() {
        Some(libc::EAGAIN | libc::EACCES) => Ok(false),
        _ => Err(error),
    }
}
