//! Feeds a child its input while reading its output, so that neither side blocks the other, until
//! the child has ended.

use std::io::{self, Read, Write};
use std::os::fd::{AsFd, BorrowedFd};
use std::process::{Child, ChildStderr, ChildStdin, ChildStdout, ExitStatus};
use std::time::Instant;

use nix::fcntl::{FcntlArg, OFlag, fcntl};
use nix::poll::{PollFd, PollFlags};

use super::poll::wait_for;
use super::system::{Handle, without_sigpipe};
use crate::processutils::read_available::read_available;
use crate::processutils::sys::types::{WaitFailure, Written};

/// Exchanges data with `child` until both of its outputs are closed and it has ended.
pub(super) fn communicate(
    child: &mut Child,
    handle: &Handle,
    input: &[u8],
    deadline: Option<Instant>,
    written: &mut Written,
) -> Result<ExitStatus, WaitFailure> {
    let mut pipes = Pipes::of(child, input).map_err(io_error("preparing its pipes"))?;
    let _held_back = pipes
        .stdin
        .as_ref()
        .map(|pipe| without_sigpipe(pipe.as_fd()));
    while pipes.are_open() {
        if let Err(missed) = pipes.wait(deadline) {
            // The error includes the output that has arrived.
            let _ = pipes.read(written);
            return Err(missed);
        }
        pipes.write();
        pipes.read(written)?;
    }
    drop(pipes);
    wait_for(
        &mut [PollFd::new(handle.ended(), PollFlags::POLLIN)],
        deadline,
    )?;
    match handle.wait(child) {
        Ok(status) => status.ok_or(WaitFailure::ExitCodeLost),
        Err(error) => Err(WaitFailure::Io("reading its exit code", error)),
    }
}

fn io_error(doing: &'static str) -> impl Fn(io::Error) -> WaitFailure {
    move |error| WaitFailure::Io(doing, error)
}

struct Pipes<'a> {
    stdin: Option<ChildStdin>,
    input: &'a [u8],
    stdout: Option<ChildStdout>,
    stderr: Option<ChildStderr>,
}

impl<'a> Pipes<'a> {
    fn of(child: &mut Child, input: &'a [u8]) -> io::Result<Self> {
        let pipes = Pipes {
            // A child without input reads end-of-file at once.
            stdin: child.stdin.take().filter(|_| !input.is_empty()),
            input,
            stdout: child.stdout.take(),
            stderr: child.stderr.take(),
        };
        for (fd, _) in pipes.awaited() {
            let flags = OFlag::from_bits_retain(fcntl(fd, FcntlArg::F_GETFL)?);
            fcntl(fd, FcntlArg::F_SETFL(flags | OFlag::O_NONBLOCK))?;
        }
        Ok(pipes)
    }

    fn awaited(&self) -> impl Iterator<Item = (BorrowedFd<'_>, PollFlags)> {
        let stdin = self.stdin.iter().map(|fd| (fd.as_fd(), PollFlags::POLLOUT));
        let stdout = self.stdout.iter().map(|fd| (fd.as_fd(), PollFlags::POLLIN));
        let stderr = self.stderr.iter().map(|fd| (fd.as_fd(), PollFlags::POLLIN));
        stdin.chain(stdout).chain(stderr)
    }

    fn are_open(&self) -> bool {
        self.awaited().next().is_some()
    }

    fn wait(&self, deadline: Option<Instant>) -> Result<(), WaitFailure> {
        let mut awaited: Vec<PollFd<'_>> = self
            .awaited()
            .map(|(fd, events)| PollFd::new(fd, events))
            .collect();
        wait_for(&mut awaited, deadline)
    }

    /// Writes as much as the pipe takes. A child that does not read all of its input is not an
    /// error.
    fn write(&mut self) {
        let Some(stdin) = &mut self.stdin else { return };
        let done = loop {
            match stdin.write(self.input) {
                Ok(count) => self.input = &self.input[count..],
                Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
                Err(error) => break error.kind() != io::ErrorKind::WouldBlock,
            }
            if self.input.is_empty() {
                break true;
            }
        };
        if done {
            self.stdin = None;
        }
    }

    fn read(&mut self, written: &mut Written) -> Result<(), WaitFailure> {
        read_some(&mut self.stdout, &mut written.stdout)
            .and_then(|()| read_some(&mut self.stderr, &mut written.stderr))
            .map_err(io_error("reading its output"))
    }
}

/// Reads the available data, and closes the pipe at end-of-file.
fn read_some(pipe: &mut Option<impl Read>, into: &mut Vec<u8>) -> io::Result<()> {
    let ended = match pipe {
        Some(open) => read_available(open, into)?,
        None => false,
    };
    if ended {
        *pipe = None;
    }
    Ok(())
}
