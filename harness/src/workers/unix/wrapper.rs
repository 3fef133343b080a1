//! A worker from a command that runs another one under a lock, as flock(1) does.

use std::error::Error;
use std::fs::{File, OpenOptions};
use std::io::{self, PipeReader, Read, Write};
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::os::unix::fs::OpenOptionsExt;
use std::os::unix::process::ExitStatusExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::time::Duration;

use nix::fcntl::{FcntlArg, FdFlag, fcntl};
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};

use super::probe;
use crate::protocol::serve::{Slot, serve};
use crate::protocol::{Capability, Verb};
use crate::sys::program::describe;
use crate::sys::{end_of, limit};

/// Serves the protocol for the wrapper command `words`.
///
/// # Errors
/// Returns an error if the driver did not name the directory of the probe, or is gone.
pub fn run(words: Vec<String>, busy_status: Option<u8>) -> io::Result<()> {
    let control = std::env::var_os(probe::CONTROL).map(PathBuf::from);
    let control =
        control.ok_or_else(|| io::Error::other(format!("{} is not set", probe::CONTROL)))?;
    probe::prepare(&control, &std::env::current_exe()?)?;
    let offers: &[Capability] = match busy_status {
        Some(_) => &[Capability::Wrapper],
        None => &[Capability::Wrapper, Capability::NoTry],
    };
    serve(offers, move |_| Wrapper {
        words: words.clone(),
        control: control.clone(),
        busy_status,
        run: None,
    })
}

struct Wrapper {
    words: Vec<String>,
    control: PathBuf,
    busy_status: Option<u8>,
    run: Option<Run>,
}

/// Pause before a wrapper that gave up is run again.
const AGAIN: Duration = Duration::from_millis(2);
/// Time within which the command must begin after a wrapper that runs it in the background.
const BACKGROUND: Duration = Duration::from_secs(1);
/// Time within which the command must exit, and the wrapper after it.
const LEAVE: Duration = Duration::from_secs(10);

/// A running wrapper and its probe.
struct Run {
    child: Child,
    probe: u32,
    /// Readable when the wrapper has ended.
    end: OwnedFd,
    /// Output of the probe, which ends when the probe does.
    pipe: File,
    leave: File,
    killed: bool,
}

impl Run {
    /// The output of the probe until it ends or a limit passes.
    fn remaining_output(&mut self) -> io::Result<String> {
        let limit = limit(LEAVE)?;
        let mut output = Vec::new();
        loop {
            match self.pipe.read_to_end(&mut output) {
                Ok(_) => break,
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
                Err(error) => return Err(error),
            }
            if wait(&[self.pipe.as_fd(), limit.as_fd()])? == 1 {
                break;
            }
        }
        Ok(String::from_utf8_lossy(&output).trim().to_owned())
    }
}

impl Wrapper {
    /// Runs the wrapper until the probe has entered; `None` if the wrapper reports a busy lock.
    fn start(&self) -> Result<Option<Run>, Box<dyn Error>> {
        // A file never fills up, unlike a pipe that is only read at the end.
        let errors = self.control.join("stderr");
        // Opened first, since the command does not wait for this process.
        let (mut pipe, leave) = (
            open(
                &probe::entered(&self.control),
                File::options().read(true).write(true),
            )?,
            open(
                &probe::leave(&self.control),
                File::options().read(true).write(true),
            )?,
        );
        // Readable once no process of the wrapper is left, since all inherit the other end.
        let (left, alive) = io::pipe()?;
        fcntl(&alive, FcntlArg::F_SETFD(FdFlag::empty()))?;
        let mut child = Command::new(&self.words[0])
            .args(&self.words[1..])
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(File::create(&errors)?)
            .spawn()
            .map_err(|error| format!("cannot run {}: {error}", self.words[0]))?;
        drop(alive);
        let end = end_of(&child)?;
        let (mut output, mut status) = (String::new(), None);
        while status.is_none() && !read_line(&mut pipe, &mut output)? {
            wait(&[pipe.as_fd(), end.as_fd()])?;
            status = child.try_wait()?;
        }
        if let Some(status) = status
            // The probe may have entered since the last read.
            && !read_line(&mut pipe, &mut output)?
        {
            if status.code().is_some() && status.code() == self.busy_status.map(i32::from) {
                return Ok(None);
            }
            let was_killed = status.signal() == Some(nix::libc::SIGKILL);
            let starts = match was_killed {
                true => starts_without(&left, &mut pipe, &mut output)?,
                false => status.success() && starts_later(&mut pipe, &mut output)?,
            };
            if !starts {
                return Err(self.without_the_command(status, &errors).into());
            }
        }
        let probe = output.trim().parse().unwrap_or(0);
        // The probe has opened its own end by now, so this one ends when the probe does.
        let pipe = open(&probe::entered(&self.control), File::options().read(true))?;
        Ok(Some(Run {
            child,
            end,
            probe,
            pipe,
            leave,
            killed: false,
        }))
    }

    /// The message about a wrapper that ended without running its command.
    fn without_the_command(&self, status: ExitStatus, errors: &Path) -> String {
        let errors = std::fs::read(errors).unwrap_or_default();
        let errors = String::from_utf8_lossy(&errors[..errors.len().min(2000)])
            .trim()
            .replace('\n', "; ");
        let errors = match errors.is_empty() {
            true => String::new(),
            false => format!(": {errors}"),
        };
        let advice = match status.code() {
            Some(code) if code != 0 && self.busy_status.is_none() => {
                format!(" (if that means that the lock is busy: --busy-status {code})")
            }
            _ => String::new(),
        };
        format!(
            "the wrapper {} without running the command{errors}{advice}",
            describe(status)
        )
    }
}

/// Opens a named pipe without waiting for its other end.
fn open(path: &Path, options: &mut OpenOptions) -> io::Result<File> {
    options.custom_flags(nix::libc::O_NONBLOCK).open(path)
}

/// Returns `true` if the command enters after the wrapper has exited successfully.
fn starts_later(pipe: &mut File, output: &mut String) -> io::Result<bool> {
    let limit = limit(BACKGROUND)?;
    loop {
        let first = wait(&[limit.as_fd(), pipe.as_fd()])?;
        if read_line(pipe, output)? {
            return Ok(true);
        }
        if first == 0 {
            return Ok(false);
        }
    }
}

/// Returns `true` if the command enters although its wrapper was killed; `false` once no process is
/// left that could run it.
fn starts_without(left: &PipeReader, pipe: &mut File, output: &mut String) -> io::Result<bool> {
    loop {
        let first = wait(&[left.as_fd(), pipe.as_fd()])?;
        if read_line(pipe, output)? {
            return Ok(true);
        }
        if first == 0 {
            return Ok(false);
        }
    }
}

/// Reads until the end of a line, and returns `true` once it has arrived.
fn read_line(pipe: &mut File, output: &mut String) -> io::Result<bool> {
    let mut bytes = [0; 64];
    loop {
        if output.ends_with('\n') {
            return Ok(true);
        }
        match pipe.read(&mut bytes) {
            Ok(0) => return Ok(false),
            Ok(length) => output.push_str(&String::from_utf8_lossy(&bytes[..length])),
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => return Ok(false),
            Err(error) => return Err(error),
        }
    }
}

/// Waits until one of the descriptors is readable or closed, and returns the first.
///
/// It has no time limit: [`explore`](crate::explore) would have to wait for one in every schedule.
fn wait(readable: &[BorrowedFd<'_>]) -> io::Result<usize> {
    let mut fds: Vec<_> = readable
        .iter()
        .map(|fd| PollFd::new(*fd, PollFlags::POLLIN))
        .collect();
    loop {
        match poll(&mut fds, PollTimeout::NONE) {
            Ok(_) => {}
            Err(nix::errno::Errno::EINTR) => continue,
            Err(error) => return Err(error.into()),
        }
        if let Some(first) = fds.iter().position(|fd| fd.any() != Some(false)) {
            return Ok(first);
        }
    }
}

impl Slot for Wrapper {
    fn acquire(&mut self) -> Result<(), Box<dyn Error>> {
        while self.run.is_none() {
            self.run = self.start()?;
            if self.run.is_none() {
                std::thread::sleep(AGAIN);
            }
        }
        Ok(())
    }

    fn try_acquire(&mut self) -> Result<bool, Box<dyn Error>> {
        self.run = self.start()?;
        Ok(self.run.is_some())
    }

    fn release(&mut self) -> Result<(), Box<dyn Error>> {
        let Some(mut run) = self.run.take() else {
            return Err("nothing is held".into());
        };
        run.leave.write_all(b".")?;
        if run.remaining_output()? != probe::LEFT {
            let _ = run.child.kill();
            let _ = run.child.wait();
            // The end of the section is unknown, so no answer is true; the driver judges dead
            // workers.
            eprintln!("the command under the lock ended on its own");
            std::process::exit(1);
        }
        let limit = limit(LEAVE)?;
        if wait(&[run.end.as_fd(), limit.as_fd()])? == 1 {
            run.child.kill()?;
            run.child.wait()?;
            return Err(format!(
                "the wrapper had not ended {} s after its command, and was killed",
                LEAVE.as_secs()
            )
            .into());
        }
        let status = run.child.wait()?;
        match status.success() || run.killed {
            true => Ok(()),
            false => Err(format!(
                "the wrapper {} after the command had succeeded",
                describe(status)
            )
            .into()),
        }
    }

    fn other(&mut self, verb: Verb) -> Option<Result<(), Box<dyn Error>>> {
        let run = self.run.as_mut().filter(|_| verb == Verb::KillWrapper)?;
        if run.child.id() == run.probe {
            return None; // it became the command by exec
        }
        if !matches!(run.child.try_wait(), Ok(None)) {
            return None; // it runs its command in the background
        }
        run.killed = true;
        Some(
            run.child
                .kill()
                .and_then(|()| run.child.wait().map(drop))
                .map_err(Into::into),
        )
    }
}
