//! A child that is never left behind.
//!
//! Threads read its outputs and write its input, so that this one can wait with a deadline. A
//! thread ends when its pipe does: all of them after [`Running::stop`], since nothing that was
//! started can leave the job.

use std::io::{self, Read, Write};
use std::os::windows::io::{AsHandle, AsRawHandle, OwnedHandle};
use std::os::windows::process::CommandExt;
use std::process::{Child, Command};
use std::sync::Arc;
use std::sync::mpsc::{Receiver, RecvTimeoutError, SyncSender, sync_channel};
use std::time::{Duration, Instant};

use windows_sys::Win32::Foundation::{WAIT_OBJECT_0, WAIT_TIMEOUT};
use windows_sys::Win32::System::Threading::{
    CREATE_NEW_PROCESS_GROUP, CREATE_SUSPENDED, INFINITE, TerminateProcess, WaitForSingleObject,
};

use super::job::Job;
use super::shell;
use crate::processutils::sys::types::{Plan, Step, WaitFailure, Written};
use crate::sys;

/// A process that was terminated ends faster, unless a driver holds it.
const KILLED_WITHIN: Duration = Duration::from_secs(5);

pub(crate) struct Running {
    /// `None` once it was waited for.
    child: Option<Child>,
    handle: Handle,
}

#[derive(Clone, Debug)]
pub(crate) struct Handle {
    pid: u32,
    /// As long as it is open, no other process gets the id.
    process: Arc<OwnedHandle>,
    job: Option<Arc<Job>>,
}

impl Running {
    pub(crate) fn start(plan: &Plan) -> Result<Self, (Step, io::Error)> {
        let mut child = command(plan)
            .and_then(|mut command| command.spawn())
            .map_err(|error| (Step::Exec, error))?;
        match Handle::of_child(&child, plan.own_group) {
            Ok(handle) => Ok(Running {
                child: Some(child),
                handle,
            }),
            Err(error) => {
                let _ = child.kill();
                let _ = child.wait();
                Err((Step::Exec, error))
            }
        }
    }

    pub(crate) fn handle(&self) -> &Handle {
        &self.handle
    }

    pub(crate) fn communicate(
        &mut self,
        input: &[u8],
        deadline: Option<Instant>,
        written: &mut Written,
    ) -> Result<i32, WaitFailure> {
        let Some(child) = &mut self.child else {
            return Err(WaitFailure::Io(
                "waiting for it",
                io::ErrorKind::NotFound.into(),
            ));
        };
        let events = pipes(child, input).map_err(|e| WaitFailure::Io("preparing its pipes", e))?;
        read_all(&events, deadline, written)?;
        self.handle.wait(deadline)?;
        let status = child
            .wait()
            .map_err(|error| WaitFailure::Io("reading its exit code", error))?;
        self.child = None;
        status.code().ok_or(WaitFailure::ExitCodeLost)
    }

    pub(crate) fn stop(&mut self) -> Option<&'static str> {
        let mut child = self.child.take()?;
        if let Some(job) = &self.handle.job {
            job.terminate();
        }
        let _ = child.kill();
        match self.handle.wait(Instant::now().checked_add(KILLED_WITHIN)) {
            Err(WaitFailure::TimedOut) => {
                Some("it was terminated and does not end: a driver may still work for it")
            }
            _ => None,
        }
    }
}

fn command(plan: &Plan) -> io::Result<Command> {
    let (first, rest) = plan
        .words
        .split_first()
        .ok_or(io::ErrorKind::InvalidInput)?;
    let mut command = match plan.shell {
        true => {
            let mut shell = Command::new(shell::interpreter());
            shell.raw_arg(shell::command_line(first, rest));
            shell
        }
        false => {
            let mut command = Command::new(first);
            command.args(rest);
            command
        }
    };
    plan.apply_to(&mut command);
    if plan.own_group {
        // Suspended until it is in its job; in a group of its own, so that Ctrl-C does not reach it.
        command.creation_flags(CREATE_SUSPENDED | CREATE_NEW_PROCESS_GROUP);
    }
    Ok(command)
}

// ---- pipes ----

/// An event that a thread of a pipe reports.
enum Event {
    Stdout(Vec<u8>),
    Stderr(Vec<u8>),
    /// A pipe has ended; with the error if it was one.
    Ended(io::Result<()>),
}

const PIPES: usize = 3;

/// Starts a thread for each pipe.
fn pipes(child: &mut Child, input: &[u8]) -> io::Result<Receiver<Event>> {
    // Few chunks wait for this thread, however fast the child writes.
    let (sender, events) = sync_channel(4);
    reader(child.stdout.take(), Event::Stdout, sender.clone())?;
    reader(child.stderr.take(), Event::Stderr, sender.clone())?;
    let stdin = child.stdin.take().filter(|_| !input.is_empty());
    let input = input.to_vec();
    sys::spawn("command input", move || {
        if let Some(mut stdin) = stdin {
            // A child that does not want its input, or not all of it, is no error.
            let _ = stdin.write_all(&input);
        }
        let _ = sender.send(Event::Ended(Ok(())));
    })?;
    Ok(events)
}

fn reader(
    pipe: Option<impl Read + Send + 'static>,
    event: fn(Vec<u8>) -> Event,
    sender: SyncSender<Event>,
) -> io::Result<()> {
    sys::spawn("command output", move || {
        let ended = pipe.map_or(Ok(()), |pipe| pass_on(pipe, event, &sender));
        // Nobody listens any more after a timeout.
        let _ = sender.send(Event::Ended(ended));
    })
}

fn pass_on(
    mut pipe: impl Read,
    event: fn(Vec<u8>) -> Event,
    sender: &SyncSender<Event>,
) -> io::Result<()> {
    let mut buffer = vec![0; 1 << 16];
    loop {
        match pipe.read(&mut buffer) {
            Ok(0) => return Ok(()),
            Ok(count) if sender.send(event(buffer[..count].to_vec())).is_err() => return Ok(()),
            Ok(_) => {}
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) if error.kind() == io::ErrorKind::BrokenPipe => return Ok(()),
            Err(error) => return Err(error),
        }
    }
}

/// Collects the output until all pipes have ended.
fn read_all(
    events: &Receiver<Event>,
    deadline: Option<Instant>,
    written: &mut Written,
) -> Result<(), WaitFailure> {
    let mut open = PIPES;
    while open > 0 {
        let event = match deadline {
            None => events.recv().map_err(|_| RecvTimeoutError::Disconnected),
            Some(deadline) => {
                events.recv_timeout(deadline.saturating_duration_since(Instant::now()))
            }
        };
        match event {
            Ok(Event::Stdout(chunk)) => written.stdout.extend(chunk),
            Ok(Event::Stderr(chunk)) => written.stderr.extend(chunk),
            Ok(Event::Ended(Ok(()))) => open -= 1,
            Ok(Event::Ended(Err(error))) => {
                return Err(WaitFailure::Io("reading its output", error));
            }
            Err(RecvTimeoutError::Timeout) => return Err(WaitFailure::TimedOut),
            Err(RecvTimeoutError::Disconnected) => {
                let error = io::Error::other("a thread of its pipes has panicked");
                return Err(WaitFailure::Io("reading its output", error));
            }
        }
        // A child that never stops writing has a deadline, too.
        if deadline.is_some_and(|deadline| Instant::now() >= deadline) && open > 0 {
            return Err(WaitFailure::TimedOut);
        }
    }
    Ok(())
}

// ---- the process ----

impl Handle {
    /// The handle of a child that was created suspended if it is to have a job.
    fn of_child(child: &Child, in_job: bool) -> io::Result<Self> {
        let process = Arc::new(child.as_handle().try_clone_to_owned()?);
        let job = match in_job {
            true => Some(Arc::new(Job::of_suspended(child)?)),
            false => None,
        };
        Ok(Handle {
            pid: child.id(),
            process,
            job,
        })
    }

    pub(crate) fn pid(&self) -> u32 {
        self.pid
    }

    pub(crate) fn signal(&self, signal: i32) -> io::Result<()> {
        if !matches!(signal, 0 | 9 | 15) {
            return Err(io::Error::new(
                io::ErrorKind::Unsupported,
                "Windows has no signals: only 9 and 15, which end a process, and 0, which asks for it",
            ));
        }
        if self.has_ended_within(0)? {
            return Err(io::Error::new(
                io::ErrorKind::NotFound,
                "the process has ended",
            ));
        }
        // SAFETY: the handle is open.
        if signal != 0 && unsafe { TerminateProcess(self.process.as_raw_handle(), 1) } == 0 {
            return Err(io::Error::last_os_error());
        }
        Ok(())
    }

    fn has_ended_within(&self, milliseconds: u32) -> io::Result<bool> {
        // SAFETY: the handle is open.
        match unsafe { WaitForSingleObject(self.process.as_raw_handle(), milliseconds) } {
            WAIT_OBJECT_0 => Ok(true),
            WAIT_TIMEOUT => Ok(false),
            _ => Err(io::Error::last_os_error()),
        }
    }

    /// Waits until the process has ended.
    fn wait(&self, deadline: Option<Instant>) -> Result<(), WaitFailure> {
        loop {
            let left = deadline.map(|deadline| deadline.saturating_duration_since(Instant::now()));
            let milliseconds = left.map_or(INFINITE, |left| {
                u32::try_from(left.as_micros().div_ceil(1000)).unwrap_or(INFINITE - 1)
            });
            match self.has_ended_within(milliseconds) {
                Ok(true) => return Ok(()),
                Ok(false) if left == Some(Duration::ZERO) => return Err(WaitFailure::TimedOut),
                Ok(false) => {}
                Err(error) => return Err(WaitFailure::Io("waiting for it", error)),
            }
        }
    }
}
