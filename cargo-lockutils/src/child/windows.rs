//! A command in a job object. It shares our console, so that Ctrl-C reaches it as it reaches us.
//!
//! Who may interrupt where: Ctrl-C and the closing of the console come in a thread of the system's,
//! at any time. The first one only takes note, since the command gets it too, and we wait for what
//! it does about it; a second one ends the job. If we are killed, the system closes our handle of
//! the job, which ends the command, and the guardian removes the directory.

use std::io;
use std::os::windows::process::CommandExt;
use std::process::{Child, Command};
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::sync::{Arc, Mutex, Once, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context, Result};
use windows_sys::Win32::Foundation::STATUS_CONTROL_C_EXIT;
use windows_sys::Win32::System::Console::{CTRL_BREAK_EVENT, CTRL_C_EVENT, SetConsoleCtrlHandler};
use windows_sys::Win32::System::Threading::CREATE_SUSPENDED;

use super::job::Job;
use super::not_started::not_started;
use crate::guardian::Guardian;
use crate::output;
use crate::run_mark::RunMark;
use crate::sys::Status;

/// Time within which terminated processes must be gone.
const GRACE: Duration = Duration::from_secs(2);

/// The processes that a command may have left.
#[derive(Debug)]
pub struct Left {
    job: Option<Arc<Job>>,
}

/// Runs `command` to its end. Returns its exit status, and what it left.
pub fn run(mut command: Command, mark: &RunMark, _: Option<&Guardian>) -> Result<(Status, Left)> {
    mark.put_on(&mut command);
    handle_interrupts()?;
    if let Some(status) = interrupted() {
        return Ok((status, Left { job: None }));
    }
    let job = Arc::new(Job::new().context("cannot create a job object for the command")?);
    let mut child = match command.creation_flags(CREATE_SUSPENDED).spawn() {
        Ok(child) => child,
        Err(error) => return Ok((not_started(&command, &error), Left { job: None })),
    };
    if let Err(error) = job.start(&child) {
        end(&mut child);
        return Err(error).context("cannot put the command into a job object");
    }
    end_on_second_interrupt(Some(Arc::clone(&job)));
    let status = child.wait().context("waiting for the command");
    end_on_second_interrupt(None);
    let status = status?.code().unwrap_or(1);
    Ok((status, Left { job: Some(job) }))
}

fn end(child: &mut Child) {
    let _ = child.kill();
    let _ = child.wait();
}

impl Left {
    pub fn is_nothing(&self) -> bool {
        match &self.job {
            None => true,
            Some(job) => job.processes().is_ok_and(|processes| processes == 0),
        }
    }

    /// Ends it. What was started to be out of the job, as a daemon is, lives on.
    pub fn end(&self) {
        let Some(job) = self.job.as_ref().filter(|_| !self.is_nothing()) else {
            return;
        };
        let count = match job.processes() {
            Ok(1) => "1 process".to_owned(),
            Ok(n) => format!("{n} processes"),
            Err(_) => "processes".to_owned(),
        };
        output::warning(format_args!("ending what the run left behind: {count}"));
        job.terminate(1);
        let deadline = Instant::now() + GRACE;
        while !self.is_nothing() && Instant::now() < deadline {
            thread::sleep(Duration::from_millis(2));
        }
    }
}

// ---- Ctrl-C ----

static INTERRUPTED: AtomicBool = AtomicBool::new(false);
static EVENTS: AtomicU32 = AtomicU32::new(0);
/// The job of the command that runs.
static RUNS: Mutex<Option<Arc<Job>>> = Mutex::new(None);

fn end_on_second_interrupt(job: Option<Arc<Job>>) {
    *RUNS.lock().unwrap_or_else(PoisonError::into_inner) = job;
}

/// After the handler returns, the system ends this process if the console is closed or the user
/// logs off. It waits for 5 s at most.
const CLEANING_UP: Duration = Duration::from_millis(4500);

/// Runs in a thread that the system makes for it, so it may do anything.
unsafe extern "system" fn on_event(event: u32) -> i32 {
    INTERRUPTED.store(true, Ordering::SeqCst);
    if EVENTS.fetch_add(1, Ordering::SeqCst) > 0
        && let Some(job) = &*RUNS.lock().unwrap_or_else(PoisonError::into_inner)
    {
        job.terminate(STATUS_CONTROL_C_EXIT as u32);
    }
    if !matches!(event, CTRL_C_EVENT | CTRL_BREAK_EVENT) {
        thread::sleep(CLEANING_UP);
    }
    1
}

fn handle_interrupts() -> io::Result<()> {
    static ONCE: Once = Once::new();
    let mut result = Ok(());
    ONCE.call_once(|| {
        // SAFETY: the function lives as long as the program, and has the type of a handler.
        if unsafe { SetConsoleCtrlHandler(Some(on_event), 1) } == 0 {
            result = Err(io::Error::last_os_error());
        }
    });
    result
}

pub fn interrupted() -> Option<Status> {
    INTERRUPTED
        .load(Ordering::SeqCst)
        .then_some(STATUS_CONTROL_C_EXIT)
}
