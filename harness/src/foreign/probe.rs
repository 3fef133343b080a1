//! The command that a wrapper runs under its lock: it says that it is in, and stays until it is told to leave.
//!
//! A wrapper runs it by a path without arguments, so that the path may stand wherever a command may, in a shell's script too; what it
//! talks through are two named pipes beside that path.

use std::fs::{self, File};
use std::io::{self, Read, Write};
use std::path::{Path, PathBuf};

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

/// The section: from here to the end of the process.
///
/// # Errors
/// If nobody listens.
pub fn run(control: &Path) -> io::Result<()> {
    let mut say = fs::OpenOptions::new().write(true).open(entered(control))?;
    writeln!(say, "{}", std::process::id())?;
    // Nobody tells us to leave if the other side is dead: then the pipe ends.
    let told = File::open(leave(control))?.read(&mut [0])?;
    if told > 0 {
        writeln!(say, "{LEFT}")?;
    }
    Ok(())
}
