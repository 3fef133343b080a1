//! A guardian that executes this program.

use std::io::{self, PipeReader};
use std::path::Path;
use std::process::{Command, Stdio};

use crate::cli::GUARDIAN;
use crate::run_mark::RunMark;

/// The command of the guardian. Its working directory is one that no one will remove.
pub fn command(
    reader: PipeReader,
    mark: Option<&RunMark>,
    directory: Option<&Path>,
) -> io::Result<Command> {
    let mut command = Command::new(std::env::current_exe()?);
    command.arg(GUARDIAN);
    if let Some(mark) = mark {
        command.arg("--run").arg(mark.word());
    }
    let root = std::env::temp_dir();
    let root = root.ancestors().last().unwrap_or(Path::new("/"));
    command
        .args(directory)
        .stdin(reader)
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .current_dir(root);
    Ok(command)
}

/// Starts it in a process group of its own, so that what ends our group does not end it.
#[cfg(unix)]
pub fn executed(
    reader: PipeReader,
    mark: Option<&RunMark>,
    directory: Option<&Path>,
) -> io::Result<u32> {
    use std::os::unix::process::CommandExt;
    let child = command(reader, mark, directory)?.process_group(0).spawn()?;
    Ok(child.id())
}
