//! The command that a wrapper runs under its lock: it says that it is in, and stays until it is told to leave.
//!
//! A wrapper runs it by a path without arguments, so that the path may stand wherever a command may, in a shell's script too; what it
//! talks through are two named pipes beside that path.

use std::fs::OpenOptions;
use std::io::{self, Read, Write};
use std::os::fd::AsFd;
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use nix::sys::stat::Mode;
use nix::unistd::mkfifo;

/// The variable that names the directory of one worker.
pub const CONTROL: &str = "LOCKUTILS_CONTROL";
/// The name by which a program is a probe.
pub const NAME: &str = "lockutils-section";
/// What it says last, to show that it was there until it was told to leave.
pub const LEFT: &str = "left";

/// Where the probe says that it is in.
pub fn entered(control: &Path) -> PathBuf {
    control.join("entered")
}

/// Where it is told to leave.
pub fn leave(control: &Path) -> PathBuf {
    control.join("leave")
}

/// Makes the probe's path, a link to `program`, and its pipes.
///
/// # Errors
/// If the directory is not writable.
pub fn prepare(control: &Path, program: &Path) -> io::Result<()> {
    for pipe in [entered(control), leave(control)] {
        mkfifo(&pipe, Mode::S_IRUSR | Mode::S_IWUSR)?;
    }
    std::os::unix::fs::symlink(program, control.join(NAME))
}

/// The directory of the probe, if this program was called as one.
pub fn called_as(program: &Path) -> Option<PathBuf> {
    (program.file_name()? == NAME).then(|| program.parent().map(Path::to_owned))?
}

/// The section: from here to the end of the process. If the worker that wants to know of it is dead, it ends at once.
///
/// # Errors
/// If nobody listens.
pub fn run(control: &Path) -> io::Result<()> {
    // Opening a named pipe waits for its other end unless it is told not to: for ever, if the worker was killed while this waited for the lock.
    let mut options = OpenOptions::new();
    options.custom_flags(nix::libc::O_NONBLOCK);
    let mut say = options.clone().write(true).open(entered(control))?;
    let mut told = options.read(true).open(leave(control))?;
    // In one piece each.
    say.write_all(format!("{}\n", std::process::id()).as_bytes())?;
    loop {
        match told.read(&mut [0]) {
            Ok(0) => return Ok(()), // the worker is dead, and nobody tells us to leave
            Ok(_) => return say.write_all(format!("{LEFT}\n").as_bytes()),
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                let mut fds = [PollFd::new(told.as_fd(), PollFlags::POLLIN)];
                let _ = poll(&mut fds, PollTimeout::NONE);
            }
            Err(error) => return Err(error),
        }
    }
}
