//! A command in a process group of its own: the terminal and every signal reach the whole group, and nothing of the group outlives it.

use std::io::{self, IsTerminal};
use std::os::unix::process::CommandExt;
use std::process::Command;
use std::sync::Arc;
use std::sync::atomic::{AtomicI32, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context, Result};
use nix::errno::Errno;
use nix::sys::signal::{SigSet, Signal, killpg, raise};
use nix::sys::wait::{WaitPidFlag, WaitStatus, waitpid};
use nix::unistd::{Pid, getpgrp, tcgetpgrp, tcsetpgrp};
use signal_hook::consts::{SIGHUP, SIGINT, SIGQUIT, SIGTERM};
use signal_hook::iterator::Signals;

use lockutils_harness::foreign::processes;

use crate::say;

const NOT_EXECUTABLE: u8 = 126;
const NOT_FOUND: u8 = 127;
/// How long processes that were left behind have to end after SIGTERM.
const GRACE: Duration = Duration::from_secs(2);

/// A command that has ended, though what it started may live on.
#[derive(Debug)]
pub struct Ended {
    /// As a shell gives it: 128 + N after signal N.
    pub status: u8,
    group: Option<Pid>,
}

/// Runs `command` to its end. Its exit status is 127 if it was not found and 126 if it cannot be executed.
pub fn run(mut command: Command) -> Result<Ended> {
    become_subreaper();
    let signals = Forwarding::start()?;
    let program = command.get_program().to_string_lossy().into_owned();
    let child = match command.process_group(0).spawn() {
        Ok(child) => Pid::from_raw(child.id().cast_signed()),
        Err(error) => {
            let (status, advice) = match error.kind() {
                io::ErrorKind::NotFound => (NOT_FOUND, "check its spelling and PATH"),
                _ => (
                    NOT_EXECUTABLE,
                    "check that it is a program and may be executed",
                ),
            };
            say::warning(format_args!("{program} cannot be run: {error}; {advice}"));
            return Ok(Ended {
                status,
                group: None,
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
    })
}

impl Ended {
    /// Whether nothing that the command started lives: its orphans would be our children now.
    pub fn left_nothing(&self) -> bool {
        loop {
            match waitpid(None, Some(WaitPidFlag::WNOHANG)) {
                Err(Errno::ECHILD) => return true,
                Ok(WaitStatus::StillAlive) => return false,
                Ok(_) | Err(Errno::EINTR) => {}
                Err(_) => return false,
            }
        }
    }

    /// Ends what is left of the group, so that nothing uses its lock path any more.
    pub fn end_what_is_left(&self) {
        let Some(group) = self.group.filter(|_| !self.left_nothing()) else {
            return;
        };
        let left = processes::of_group(group);
        if left.is_empty() {
            return;
        }
        let commands: Vec<String> = left
            .iter()
            .map(|&pid| format!("{pid} ({})", processes::command(pid)))
            .collect();
        say::warning(format_args!(
            "ending what the run left behind: {}",
            commands.join(", ")
        ));
        let _ = killpg(group, Signal::SIGTERM);
        let _ = killpg(group, Signal::SIGCONT);
        if !self.all_end_within(group, GRACE) {
            let _ = killpg(group, Signal::SIGKILL);
            self.all_end_within(group, GRACE);
        }
    }

    fn all_end_within(&self, group: Pid, time: Duration) -> bool {
        let deadline = Instant::now() + time;
        loop {
            while let Ok(WaitStatus::Exited(..) | WaitStatus::Signaled(..)) =
                waitpid(None, Some(WaitPidFlag::WNOHANG))
            {}
            if processes::of_group(group).is_empty() {
                return true;
            }
            if Instant::now() >= deadline {
                return false;
            }
            // What left its parent may be nobody's child that we could wait for, so we look again.
            thread::sleep(Duration::from_millis(2));
        }
    }
}

/// Orphans of the group become our children, so that we can reap them (PR_SET_CHILD_SUBREAPER, prctl(2), Linux 3.4).
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

/// The terminal, if we have it: the group gets it, so that it can read and Ctrl-C and Ctrl-Z reach it.
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
        // A background process that does this is stopped by SIGTTOU, unless it blocks it.
        let mut ttou = SigSet::empty();
        ttou.add(Signal::SIGTTOU);
        let _ = ttou.thread_block();
        let _ = tcsetpgrp(io::stdin(), group);
        let _ = ttou.thread_unblock();
        let _ = killpg(group, Signal::SIGCONT); // it may have been stopped for reading too early
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

    /// The group was stopped (Ctrl-Z): so are we, until the shell lets us go on.
    fn stop_with(&self, group: Pid) {
        if self.is_ours {
            self.take_back();
            let _ = raise(Signal::SIGSTOP);
            self.hand(group);
        }
    }
}

/// Signals that end us are passed on to the group; the second time it is SIGKILL.
struct Forwarding {
    group: Arc<AtomicI32>,
}

impl Forwarding {
    fn start() -> Result<Self> {
        let group = Arc::new(AtomicI32::new(0));
        let mut signals =
            Signals::new([SIGINT, SIGTERM, SIGHUP, SIGQUIT]).context("signals cannot be caught")?;
        let target = Arc::clone(&group);
        thread::spawn(move || {
            let mut times = 0;
            for signal in signals.forever() {
                times += 1;
                let signal = match times {
                    1 => Signal::try_from(signal).unwrap_or(Signal::SIGTERM),
                    _ => Signal::SIGKILL,
                };
                while target.load(Ordering::Acquire) == 0 {
                    thread::yield_now(); // the command is being started
                }
                let _ = killpg(Pid::from_raw(target.load(Ordering::Acquire)), signal);
            }
        });
        Ok(Forwarding { group })
    }

    fn to(&self, group: Pid) {
        self.group.store(group.as_raw(), Ordering::Release);
    }
}
