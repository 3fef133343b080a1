//! Makes a worker of a command that runs another one under a lock, as flock(1) does.

use std::error::Error;
use std::fs::{File, OpenOptions};
use std::io::{self, Read, Write};
use std::os::fd::AsFd;
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use nix::poll::{PollFd, PollFlags, PollTimeout, poll};

use super::probe;
use super::protocol::{Capability, Verb};
use super::serve::{Slot, serve};
use super::worker::describe;

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
    pipe: File,
    leave: File,
    said: String,
    killed: bool,
}

impl Wrapper {
    /// Runs the wrapper until the probe says that it is in; nothing, if the wrapper says that the lock is busy.
    fn start(&self) -> Result<Option<Run>, Box<dyn Error>> {
        // A file never fills up, as a pipe that is read at the end only would.
        let errors = self.control.join("stderr");
        // Before the command may come, which does not wait for us.
        let (mut pipe, leave) = (
            open(&probe::entered(&self.control))?,
            open(&probe::leave(&self.control))?,
        );
        let mut child = Command::new(&self.words[0])
            .args(&self.words[1..])
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(File::create(&errors)?)
            .spawn()
            .map_err(|error| format!("{} cannot be run: {error}", self.words[0]))?;
        let mut said = String::new();
        let mut ended = None;
        loop {
            read_some(&mut pipe, &mut said);
            if let Some((id, _)) = said.split_once('\n') {
                let probe = id.parse().unwrap_or(0);
                return Ok(Some(Run {
                    child,
                    probe,
                    pipe,
                    leave,
                    said,
                    killed: false,
                }));
            }
            if let Some(status) = child.try_wait()? {
                // It may have come in, and said so, since we looked.
                if read_some(&mut pipe, &mut said) {
                    continue;
                }
                if self.busy_status.is_some() && status.code() == self.busy_status.map(i32::from) {
                    return Ok(None);
                }
                let since = *ended.get_or_insert_with(Instant::now);
                if status.success() && since.elapsed() < BACKGROUND {
                    wait(&pipe, Duration::from_millis(5));
                    continue;
                }
                let errors = std::fs::read(&errors).unwrap_or_default();
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
                return Err(format!(
                    "the wrapper {} without running the command{errors}{advice}",
                    describe(status)
                )
                .into());
            }
            // The end of the wrapper is no event on the pipe: look at it often enough, and at the pipe at once.
            wait(&pipe, Duration::from_millis(5));
        }
    }
}

/// Opens a named pipe for both directions, so that it does not wait for the probe, nor ends before the probe has come.
fn open(path: &Path) -> io::Result<File> {
    OpenOptions::new()
        .read(true)
        .write(true)
        .custom_flags(nix::libc::O_NONBLOCK)
        .open(path)
}

fn read_some(pipe: &mut File, said: &mut String) -> bool {
    let mut bytes = [0; 64];
    match pipe.read(&mut bytes) {
        Ok(length) if length > 0 => {
            said.push_str(&String::from_utf8_lossy(&bytes[..length]));
            true
        }
        _ => false,
    }
}

fn wait(pipe: &File, time: Duration) {
    let timeout = PollTimeout::try_from(time).unwrap_or(PollTimeout::MAX);
    let _ = poll(&mut [PollFd::new(pipe.as_fd(), PollFlags::POLLIN)], timeout);
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
        let deadline = Instant::now() + LEAVE;
        while !run.said.ends_with(&format!("{}\n", probe::LEFT)) {
            let probe_lives = Path::new(&format!("/proc/{}", run.probe)).exists();
            let more = read_some(&mut run.pipe, &mut run.said);
            if !more && (!probe_lives || Instant::now() > deadline) {
                let _ = run.child.kill();
                let _ = run.child.wait();
                // Nobody knows when the section ended: no answer is true. The driver judges a worker that dies so.
                eprintln!("the command under the lock ended by itself");
                std::process::exit(1);
            }
            if !more {
                wait(&run.pipe, Duration::from_millis(5));
            }
        }
        let deadline = Instant::now() + LEAVE;
        let status = loop {
            match run.child.try_wait()? {
                Some(status) => break status,
                None if Instant::now() > deadline => {
                    run.child.kill()?;
                    run.child.wait()?;
                    return Err(format!(
                        "the wrapper had not ended {} s after its command, and was killed",
                        LEAVE.as_secs()
                    )
                    .into());
                }
                // Its end comes soon, and is no event that could be waited for together with a deadline.
                None => std::thread::sleep(Duration::from_micros(200)),
            }
        };
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
