//! Makes a worker of a command that runs another one under a lock, as flock(1) does.

use std::error::Error;
use std::fs::{File, OpenOptions};
use std::io::{self, Read, Write};
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::time::Duration;

use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use nix::sys::time::TimeSpec;
use nix::sys::timerfd::{ClockId, Expiration, TimerFd, TimerFlags, TimerSetTimeFlags};

use super::probe;
use super::worker::{describe, end_of};
use crate::protocol::serve::{Slot, serve};
use crate::protocol::{Capability, Verb};

/// Serves the protocol for the wrapper command `words`.
///
/// # Errors
/// If the driver has not said where the probe is, or is gone.
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

/// A wrapper that gives up is run again after so long.
const AGAIN: Duration = Duration::from_millis(2);
/// A wrapper that runs its command in the background may have ended before the command begins.
const BACKGROUND: Duration = Duration::from_secs(1);
/// So long the command may take to leave, and the wrapper to end after it.
const LEAVE: Duration = Duration::from_secs(10);

/// The wrapper, and the probe that it runs.
struct Run {
    child: Child,
    probe: u32,
    /// Readable when the wrapper has ended.
    end: OwnedFd,
    /// What the probe says; it ends when the probe does.
    pipe: File,
    leave: File,
    killed: bool,
}

impl Run {
    /// What the probe has said when it has ended, or when that takes too long.
    fn last_words(&mut self) -> io::Result<String> {
        let limit = limit(LEAVE)?;
        let mut said = Vec::new();
        loop {
            match self.pipe.read_to_end(&mut said) {
                Ok(_) => break,
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
                Err(error) => return Err(error),
            }
            if wait(&[self.pipe.as_fd(), limit.as_fd()])? == 1 {
                break;
            }
        }
        Ok(String::from_utf8_lossy(&said).trim().to_owned())
    }
}

impl Wrapper {
    /// Runs the wrapper until the probe says that it is in; nothing, if the wrapper says that the lock is busy.
    fn start(&self) -> Result<Option<Run>, Box<dyn Error>> {
        // A file never fills up, as a pipe that is read at the end only would.
        let errors = self.control.join("stderr");
        // Before the command may come, which does not wait for us.
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
        let mut child = Command::new(&self.words[0])
            .args(&self.words[1..])
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(File::create(&errors)?)
            .spawn()
            .map_err(|error| format!("{} cannot be run: {error}", self.words[0]))?;
        let end = end_of(&child)?;
        let (mut said, mut status) = (String::new(), None);
        while status.is_none() && !read_line(&mut pipe, &mut said)? {
            wait(&[pipe.as_fd(), end.as_fd()])?;
            status = child.try_wait()?;
        }
        if let Some(status) = status
            // It may have come in, and said so, since we looked.
            && !read_line(&mut pipe, &mut said)?
        {
            if status.code().is_some() && status.code() == self.busy_status.map(i32::from) {
                return Ok(None);
            }
            if !(status.success() && comes_later(&mut pipe, &mut said)?) {
                return Err(self.without_the_command(status, &errors).into());
            }
        }
        let probe = said.trim().parse().unwrap_or(0);
        // The probe has its own end by now, so that this one ends when the probe does.
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

    /// What to say of a wrapper that has ended and never ran its command.
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

/// A named pipe that does not wait for its other end.
fn open(path: &Path, options: &mut OpenOptions) -> io::Result<File> {
    options.custom_flags(nix::libc::O_NONBLOCK).open(path)
}

/// Whether the command of a wrapper that has ended well still comes in.
fn comes_later(pipe: &mut File, said: &mut String) -> io::Result<bool> {
    let limit = limit(BACKGROUND)?;
    loop {
        let first = wait(&[limit.as_fd(), pipe.as_fd()])?;
        if read_line(pipe, said)? {
            return Ok(true);
        }
        if first == 0 {
            return Ok(false);
        }
    }
}

/// Whether a whole line has come by now; it may come in pieces.
fn read_line(pipe: &mut File, said: &mut String) -> io::Result<bool> {
    let mut bytes = [0; 64];
    loop {
        if said.ends_with('\n') {
            return Ok(true);
        }
        match pipe.read(&mut bytes) {
            Ok(0) => return Ok(false),
            Ok(length) => said.push_str(&String::from_utf8_lossy(&bytes[..length])),
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => return Ok(false),
            Err(error) => return Err(error),
        }
    }
}

/// A descriptor that is readable after so long.
fn limit(time: Duration) -> io::Result<TimerFd> {
    let timer = TimerFd::new(ClockId::CLOCK_MONOTONIC, TimerFlags::TFD_CLOEXEC)?;
    let once = Expiration::OneShot(TimeSpec::from_duration(time));
    timer.set(once, TimerSetTimeFlags::empty())?;
    Ok(timer)
}

/// Waits until one of them is readable or has ended, and says which is the first. Without a time limit of its own, which
/// [`explore`](crate::explore) would have to sit out in every schedule.
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
        if run.last_words()? != probe::LEFT {
            let _ = run.child.kill();
            let _ = run.child.wait();
            // Nobody knows when the section ended: no answer is true. The driver judges a worker that dies so.
            eprintln!("the command under the lock ended by itself");
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
                "the wrapper {} after the command had ended well",
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
