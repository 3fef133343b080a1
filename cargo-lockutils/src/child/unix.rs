//! A command in a process group of its own: the terminal and every signal reach the whole group.

use std::io::{self, IsTerminal};
use std::os::unix::process::CommandExt;
use std::process::Command;
use std::sync::atomic::{AtomicI32, Ordering};
use std::sync::{Arc, OnceLock};
use std::thread;

use anyhow::{Context, Result};
use nix::errno::Errno;
use nix::sys::signal::{SigSet, Signal, killpg, raise};
use nix::sys::wait::{WaitPidFlag, WaitStatus, waitpid};
use nix::unistd::{Pid, getpgrp, tcgetpgrp, tcsetpgrp};
use signal_hook::consts::{SIGHUP, SIGINT, SIGQUIT, SIGTERM};
use signal_hook::iterator::Signals;

use crate::guardian::Guardian;
use crate::run_mark::RunMark;
use crate::sys::Status;

#[cfg(not(target_os = "linux"))]
pub use super::bsd::Left;
#[cfg(target_os = "linux")]
pub use super::linux::Left;
use super::not_started::not_started;

/// Runs `command` to its end. Returns its exit status, and what it left.
pub fn run(
    mut command: Command,
    mark: &RunMark,
    guardian: Option<&Guardian>,
) -> Result<(Status, Left)> {
    let mut left = Left::before(mark, guardian);
    mark.put_on(&mut command);
    let signals = Forwarding::started()?;
    if let Some(status) = interrupted() {
        return Ok((status, left));
    }
    // Processes that the previous command left have been ended.
    signals.to_no_group();
    let child = match command.process_group(0).spawn() {
        Ok(child) => Pid::from_raw(child.id().cast_signed()),
        Err(error) => return Ok((not_started(&command, &error), left)),
    };
    signals.to(child);
    left.started(child);
    if let Some(guardian) = guardian {
        guardian.watches(child);
    }
    let terminal = Terminal::give_to(child);
    let status = wait(child, &terminal)?;
    terminal.take_back();
    Ok((status, left))
}

fn wait(child: Pid, terminal: &Terminal) -> Result<Status> {
    loop {
        match waitpid(None, Some(WaitPidFlag::WUNTRACED)) {
            Ok(WaitStatus::Exited(pid, code)) if pid == child => return Ok(code),
            Ok(WaitStatus::Signaled(pid, signal, _)) if pid == child => {
                return Ok(128 + signal as Status);
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
pub fn interrupted() -> Option<Status> {
    let signal = FORWARDING.get()?.signal()?;
    Some(128 + signal as Status)
}
