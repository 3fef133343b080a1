//! A command in a process group of its own: the terminal and every signal reach the whole group,
//! and no process of the group outlives it.

use std::io::{self, IsTerminal};
use std::os::unix::process::CommandExt;
use std::process::Command;
use std::sync::atomic::{AtomicI32, Ordering};
use std::sync::{Arc, OnceLock};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context, Result};
use nix::errno::Errno;
use nix::sys::signal::{SigSet, Signal, kill, killpg, raise};
use nix::sys::wait::{WaitPidFlag, WaitStatus, waitpid};
use nix::unistd::{Pid, getpgrp, getsid, tcgetpgrp, tcsetpgrp};
use signal_hook::consts::{SIGHUP, SIGINT, SIGQUIT, SIGTERM};
use signal_hook::iterator::Signals;

use lockutils_harness::procfs::{self, ProcessRow, ProcessTable};

use crate::guardian::{Guardian, is_guardian};
use crate::output;
use crate::run_mark::RunMark;

const NOT_EXECUTABLE: u8 = 126;
const NOT_FOUND: u8 = 127;
/// Time that processes left behind have to end after SIGTERM.
const GRACE: Duration = Duration::from_secs(2);

/// A command that has ended. Processes that it started may still live.
#[derive(Debug)]
pub struct Ended {
    /// The exit status as in a shell: 128 + N after signal N.
    pub status: u8,
    group: Option<Pid>,
    mark: RunMark,
    before: Before,
}

/// The children that this process had before the command was started.
#[derive(Debug)]
struct Before {
    guardian: Option<Pid>,
    /// Children of the program that this process was before an `exec`, such as a shell.
    inherited: Vec<Pid>,
}

impl Before {
    fn now(guardian: Option<&Guardian>) -> Self {
        let guardian = guardian.map(Guardian::pid);
        Before {
            guardian,
            inherited: procfs::children()
                .filter(|&pid| Some(pid) != guardian && !is_guardian(pid))
                .collect(),
        }
    }

    fn all(&self) -> Vec<Pid> {
        self.inherited
            .iter()
            .copied()
            .chain(self.guardian)
            .collect()
    }
}

/// Runs `command` to its end, with the mark on it. The exit status is 127 if it was not found and
/// 126 if it cannot be executed.
pub fn run(mut command: Command, mark: &RunMark, guardian: Option<&Guardian>) -> Result<Ended> {
    let before = Before::now(guardian);
    mark.put_on(&mut command);
    become_subreaper();
    let signals = Forwarding::started()?;
    if let Some(status) = interrupted() {
        return Ok(Ended {
            status,
            group: None,
            mark: mark.clone(),
            before,
        });
    }
    // Processes that the previous command left have been ended.
    signals.to_no_group();
    let program = command.get_program().to_string_lossy().into_owned();
    let child = match command.process_group(0).spawn() {
        Ok(child) => Pid::from_raw(child.id().cast_signed()),
        Err(error) => {
            let (status, advice) = match error.kind() {
                io::ErrorKind::NotFound => (NOT_FOUND, "check the spelling and PATH"),
                _ => (NOT_EXECUTABLE, "check that it is an executable program"),
            };
            let program = output::printable(&program);
            output::warning(format_args!("cannot run {program}: {error}; {advice}"));
            return Ok(Ended {
                status,
                group: None,
                mark: mark.clone(),
                before,
            });
        }
    };
    signals.to(child);
    let terminal = Terminal::give_to(child);
    let status = wait(child, &terminal)?;
    terminal.take_back();
    Ok(Ended {
        status,
        group: Some(child),
        mark: mark.clone(),
        before,
    })
}

impl Ended {
    /// Returns `true` if no process that the command started is alive: its orphans would now be
    /// children of this process.
    pub fn left_nothing(&self) -> bool {
        reap();
        match waitpid(None, Some(WaitPidFlag::WNOHANG)) {
            Err(Errno::ECHILD) => true,
            Ok(WaitStatus::StillAlive) => {
                let before = self.before.all();
                let mut children = procfs::children().peekable();
                // A kernel that lists no children although some exist leaves this open.
                children.peek().is_some()
                    && children.all(|pid| before.contains(&pid) || is_guardian(pid))
            }
            _ => false,
        }
    }

    /// Ends the remaining processes of the command, so that none uses its lock path any more.
    /// Processes that created a session of their own, such as daemons, live on.
    pub fn end_what_is_left(&self) {
        if self.group.is_none() || self.left_nothing() {
            return;
        }
        let left = self.left();
        if left.is_empty() {
            return;
        }
        let commands: Vec<String> = left
            .iter()
            .map(|&pid| format!("{pid} ({})", output::printable(&procfs::command(pid))))
            .collect();
        output::warning(format_args!(
            "ending what the run left behind: {}",
            commands.join(", ")
        ));
        if !self.all_end_within(GRACE, Signal::SIGTERM) {
            self.all_end_within(GRACE, Signal::SIGKILL);
        }
    }

    /// The descendants of this process that must end.
    fn left(&self) -> Vec<Pid> {
        let session = getsid(None).ok();
        // With inherited children, an orphan of theirs looks like one of the command's.
        let is_of_the_run = |row: &ProcessRow| {
            self.before.inherited.is_empty()
                || Some(row.stat.group) == self.group
                || self.mark.is_on(row.pid)
        };
        ProcessTable::now()
            .descendants(&self.before.all())
            .into_iter()
            .filter(|row| Some(row.stat.session) == session && is_of_the_run(row))
            .map(|row| row.pid)
            .filter(|&pid| !is_guardian(pid))
            .collect()
    }

    /// Sends the signal to each process once, and checks until none is left.
    fn all_end_within(&self, time: Duration, signal: Signal) -> bool {
        let deadline = Instant::now() + time;
        let mut signalled = Vec::new();
        loop {
            reap();
            let left = self.left();
            if left.is_empty() {
                return true;
            }
            if Instant::now() >= deadline {
                return false;
            }
            for pid in left {
                if !signalled.contains(&pid) {
                    let _ = kill(pid, signal);
                    let _ = kill(pid, Signal::SIGCONT);
                    signalled.push(pid);
                }
            }
            // Processes that left their parent may not be children of this process, so they cannot
            // be waited for.
            thread::sleep(Duration::from_millis(2));
        }
    }
}

/// Reaps children that have ended.
fn reap() {
    while let Ok(WaitStatus::Exited(..) | WaitStatus::Signaled(..)) =
        waitpid(None, Some(WaitPidFlag::WNOHANG))
    {}
}

/// Makes orphans of the group children of this process, so that they can be reaped
/// (PR_SET_CHILD_SUBREAPER, prctl(2), Linux 3.4).
fn become_subreaper() {
    let _ = nix::sys::prctl::set_child_subreaper(true);
}

fn wait(child: Pid, terminal: &Terminal) -> Result<u8> {
    loop {
        match waitpid(None, Some(WaitPidFlag::WUNTRACED)) {
            Ok(WaitStatus::Exited(pid, code)) if pid == child => return Ok(code as u8),
            Ok(WaitStatus::Signaled(pid, signal, _)) if pid == child => {
                return Ok(128 + signal as u8);
            }
            Ok(WaitStatus::Stopped(pid, _)) if pid == child => terminal.stop_with(child),
            Ok(_) | Err(Errno::EINTR) => {}
            Err(error) => return Err(error).context("waiting for the command"),
        }
    }
}

/// The terminal, if this process has one. It is given to the group, so that the group can read from
/// it and receives Ctrl-C and Ctrl-Z.
struct Terminal {
    is_ours: bool,
}

impl Terminal {
    fn give_to(group: Pid) -> Self {
        let stdin = io::stdin();
        let is_ours = stdin.is_terminal() && tcgetpgrp(&stdin) == Ok(getpgrp());
        let terminal = Terminal { is_ours };
        terminal.hand(group);
        terminal
    }

    fn hand(&self, group: Pid) {
        if !self.is_ours {
            return;
        }
        // SIGTTOU would stop a background process that does this, unless it is blocked.
        let mut ttou = SigSet::empty();
        ttou.add(Signal::SIGTTOU);
        let _ = ttou.thread_block();
        let _ = tcsetpgrp(io::stdin(), group);
        let _ = ttou.thread_unblock();
        let _ = killpg(group, Signal::SIGCONT); // it may have stopped when it read too early
    }

    fn take_back(&self) {
        if self.is_ours {
            let mut ttou = SigSet::empty();
            ttou.add(Signal::SIGTTOU);
            let _ = ttou.thread_block();
            let _ = tcsetpgrp(io::stdin(), getpgrp());
            let _ = ttou.thread_unblock();
        }
    }

    /// Stops this process together with the group (Ctrl-Z), until the shell continues it.
    fn stop_with(&self, group: Pid) {
        if self.is_ours {
            self.take_back();
            let _ = raise(Signal::SIGSTOP);
            self.hand(group);
        }
    }
}

/// Forwards signals that would end this process to the process group of the running command; the
/// second one becomes SIGKILL.
#[derive(Debug)]
struct Forwarding {
    /// 0 while no command is running.
    group: AtomicI32,
    /// 0 until a signal arrives.
    first_signal: AtomicI32,
}

static FORWARDING: OnceLock<Arc<Forwarding>> = OnceLock::new();

impl Forwarding {
    /// Installs the handlers, unless an earlier command has done so.
    fn started() -> Result<Arc<Self>> {
        if let Some(forwarding) = FORWARDING.get() {
            return Ok(Arc::clone(forwarding));
        }
        let forwarding = Arc::new(Forwarding {
            group: AtomicI32::new(0),
            first_signal: AtomicI32::new(0),
        });
        let mut signals =
            Signals::new([SIGINT, SIGTERM, SIGHUP, SIGQUIT]).context("signals cannot be caught")?;
        let here = Arc::clone(&forwarding);
        thread::spawn(move || {
            for (before, signal) in signals.forever().enumerate() {
                let signal = match before {
                    0 => Signal::try_from(signal).unwrap_or(Signal::SIGTERM),
                    _ => Signal::SIGKILL,
                };
                if before == 0 {
                    here.first_signal.store(signal as i32, Ordering::SeqCst);
                }
                here.send(signal);
            }
        });
        Ok(Arc::clone(FORWARDING.get_or_init(|| forwarding)))
    }

    fn send(&self, signal: Signal) {
        match self.group.load(Ordering::SeqCst) {
            0 => {}
            group => {
                let _ = killpg(Pid::from_raw(group), signal);
            }
        }
    }

    /// Sends a signal that arrived while the command was being started.
    fn to(&self, group: Pid) {
        self.group.store(group.as_raw(), Ordering::SeqCst);
        if let Some(signal) = self.signal() {
            self.send(signal);
        }
    }

    fn to_no_group(&self) {
        self.group.store(0, Ordering::SeqCst);
    }

    fn signal(&self) -> Option<Signal> {
        Signal::try_from(self.first_signal.load(Ordering::SeqCst)).ok()
    }
}

/// The exit status of a run that a signal ends, if there was one: no further command may start.
pub fn interrupted() -> Option<u8> {
    let signal = FORWARDING.get()?.signal()?;
    Some(128 + signal as u8)
}
