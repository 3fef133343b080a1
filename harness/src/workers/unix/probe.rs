//! The command that a wrapper runs under its lock: it reports that it has entered, and stays until
//! it is asked to leave.
//!
//! A wrapper runs it by a path without arguments, so that the path may stand wherever a command
//! may, even in a shell script. It communicates through two named pipes beside that path.

use std::fs::OpenOptions;
use std::io::{self, Read, Write};
use std::os::fd::AsFd;
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use nix::sys::stat::Mode;
use nix::unistd::mkfifo;

pub use crate::workers::names::{CONTROL, LEFT, NAME};

/// Pipe on which the probe reports that it has entered.
pub fn entered(control: &Path) -> PathBuf {
    control.join("entered")
}

/// Pipe on which the probe is asked to leave.
pub fn leave(control: &Path) -> PathBuf {
    control.join("leave")
}

/// Creates the probe's path, a link to `program`, and its pipes.
///
/// # Errors
/// Returns an error if the directory is not writable.
pub fn prepare(control: &Path, program: &Path) -> io::Result<()> {
    for pipe in [entered(control), leave(control)] {
        mkfifo(&pipe, Mode::S_IRUSR | Mode::S_IWUSR)?;
    }
    std::os::unix::fs::symlink(program, control.join(NAME))
}

/// The directory of the probe if this program was called as one.
pub fn called_as(program: &Path) -> Option<PathBuf> {
    (program.file_name()? == NAME).then(|| program.parent().map(Path::to_owned))?
}

/// Runs the critical section, which lasts until the process ends. Ends at once if the worker is
/// dead.
///
/// # Errors
/// Returns an error if a pipe cannot be used.
pub fn run(control: &Path) -> io::Result<()> {
    // O_NONBLOCK: otherwise opening waits for the other end, forever if the worker was killed while
    // this process waited for the lock.
    let mut options = OpenOptions::new();
    options.custom_flags(nix::libc::O_NONBLOCK);
    let mut output = options.clone().write(true).open(entered(control))?;
    let mut input = options.read(true).open(leave(control))?;
    // A single write, so the line arrives as a whole.
    output.write_all(format!("{}\n", std::process::id()).as_bytes())?;
    loop {
        match input.read(&mut [0]) {
            Ok(0) => return Ok(()), // the worker is dead
            Ok(_) => return output.write_all(format!("{LEFT}\n").as_bytes()),
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                let mut fds = [PollFd::new(input.as_fd(), PollFlags::POLLIN)];
                let _ = poll(&mut fds, PollTimeout::NONE);
            }
            Err(error) => return Err(error),
        }
    }
}
