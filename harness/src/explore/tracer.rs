//! Stops and continues the tasks of workers at their system calls (ptrace(2), Linux 5.3 for PTRACE_GET_SYSCALL_INFO).
//!
//! All calls must come from one thread, the tracer. Every system call stops; only what matters to a lock is shown to the scheduler.

use std::collections::HashMap;
use std::fs;
use std::io;

use nix::errno::Errno;
use nix::libc;
use nix::sys::ptrace::{self, Options};
use nix::sys::signal::Signal;
use nix::sys::wait::{WaitPidFlag, WaitStatus, waitpid};
use nix::unistd::Pid;

/// What happened to a task, which stands still now unless it is gone.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stop {
    /// It is about to make this call.
    Enter { nr: u64, args: [u64; 6] },
    /// The call has come back.
    Leave { result: i64 },
    /// It is new; another task of the same process or a child process.
    New,
    /// A task has started another; both are told of.
    Started(Pid),
    /// Something that does not matter.
    Other,
    /// It has ended.
    Gone,
}

/// All tasks that are traced, and which actor each belongs to.
#[derive(Debug, Default)]
pub struct Tracer {
    pub tasks: HashMap<Pid, usize>,
    /// Stopped before we were told who they are.
    early: HashMap<Pid, Stop>,
    /// The signal with which a task goes on.
    signals: HashMap<Pid, Signal>,
}

fn options() -> Options {
    Options::PTRACE_O_TRACESYSGOOD
        | Options::PTRACE_O_TRACECLONE
        | Options::PTRACE_O_TRACEFORK
        | Options::PTRACE_O_TRACEVFORK
        | Options::PTRACE_O_TRACEEXEC
        | Options::PTRACE_O_EXITKILL
}

impl Tracer {
    /// Takes hold of all threads of a process that waits for its first command.
    pub fn attach(&mut self, actor: usize, process: Pid) -> io::Result<()> {
        // A thread may start others while we look.
        loop {
            let mut found = false;
            for entry in fs::read_dir(format!("/proc/{process}/task"))?.flatten() {
                let Some(tid) = entry
                    .file_name()
                    .to_str()
                    .and_then(|name| name.parse().ok())
                else {
                    continue;
                };
                let tid = Pid::from_raw(tid);
                if self.tasks.contains_key(&tid) {
                    continue;
                }
                match ptrace::seize(tid, options()) {
                    Ok(()) => {}
                    Err(Errno::ESRCH) => continue,
                    Err(error) => return Err(error.into()),
                }
                found = true;
                self.tasks.insert(tid, actor);
                ptrace::interrupt(tid)?;
                loop {
                    match waitpid(tid, Some(WaitPidFlag::__WALL)) {
                        Ok(WaitStatus::PtraceEvent(_, _, event))
                            if event == libc::PTRACE_EVENT_STOP =>
                        {
                            break;
                        }
                        Ok(WaitStatus::Exited(..) | WaitStatus::Signaled(..)) => {
                            self.tasks.remove(&tid);
                            break;
                        }
                        Ok(_) => self.resume(tid),
                        Err(Errno::EINTR) => {}
                        Err(error) => return Err(error.into()),
                    }
                }
                if self.tasks.contains_key(&tid) {
                    self.resume(tid);
                }
            }
            if !found {
                return Ok(());
            }
        }
    }

    /// Lets a stopped task go on to its next stop.
    pub fn resume(&mut self, tid: Pid) {
        // It may have been killed meanwhile.
        let _ = ptrace::syscall(tid, self.signals.remove(&tid));
    }

    /// The next stop of any task, if there is one now.
    pub fn poll(&mut self) -> Option<(Pid, Stop)> {
        if let Some(tid) = self
            .early
            .keys()
            .copied()
            .find(|tid| self.tasks.contains_key(tid))
        {
            return self.early.remove(&tid).map(|stop| (tid, stop));
        }
        loop {
            let flags = WaitPidFlag::__WALL | WaitPidFlag::WNOHANG | WaitPidFlag::__WNOTHREAD;
            let status = match waitpid(None, Some(flags)) {
                Ok(WaitStatus::StillAlive) | Err(Errno::ECHILD) => return None,
                Ok(status) => status,
                Err(_) => return None,
            };
            let Some((tid, stop)) = self.read(status) else {
                continue;
            };
            if !self.tasks.contains_key(&tid) {
                if stop != Stop::Gone {
                    self.early.insert(tid, stop);
                }
                continue;
            }
            if stop == Stop::Gone {
                self.tasks.remove(&tid);
                self.signals.remove(&tid);
            }
            return Some((tid, stop));
        }
    }

    fn read(&mut self, status: WaitStatus) -> Option<(Pid, Stop)> {
        Some(match status {
            WaitStatus::Exited(tid, _) | WaitStatus::Signaled(tid, _, _) => (tid, Stop::Gone),
            WaitStatus::PtraceSyscall(tid) => (tid, syscall(tid)),
            WaitStatus::PtraceEvent(tid, _, event) => match event {
                libc::PTRACE_EVENT_CLONE | libc::PTRACE_EVENT_FORK | libc::PTRACE_EVENT_VFORK => {
                    let child = ptrace::getevent(tid).ok()?;
                    (tid, Stop::Started(Pid::from_raw(child as i32)))
                }
                libc::PTRACE_EVENT_STOP => (tid, Stop::New),
                _ => (tid, Stop::Other),
            },
            WaitStatus::Stopped(tid, signal) => {
                self.signals.insert(tid, signal);
                (tid, Stop::Other)
            }
            _ => return None,
        })
    }

    /// A task starts to belong to an actor.
    pub fn adopt(&mut self, tid: Pid, actor: usize) {
        self.tasks.insert(tid, actor);
    }
}

fn syscall(tid: Pid) -> Stop {
    let Ok(info) = ptrace::syscall_info(tid) else {
        return Stop::Other;
    };
    match info.op {
        libc::PTRACE_SYSCALL_INFO_ENTRY => {
            // SAFETY: `op` says which member of the union was filled in.
            let entry = unsafe { info.u.entry };
            Stop::Enter {
                nr: entry.nr,
                args: entry.args,
            }
        }
        libc::PTRACE_SYSCALL_INFO_EXIT => {
            // SAFETY: as above.
            let exit = unsafe { info.u.exit };
            Stop::Leave { result: exit.sval }
        }
        _ => Stop::Other,
    }
}

/// Changes an argument of the call that a task is about to make; gives the value that it had.
pub fn set_argument(tid: Pid, argument: usize, value: u64) -> nix::Result<u64> {
    let mut registers = ptrace::getregs(tid)?;
    let place = match argument {
        0 => &mut registers.rdi,
        1 => &mut registers.rsi,
        _ => &mut registers.rdx,
    };
    let before = std::mem::replace(place, value);
    ptrace::setregs(tid, registers)?;
    Ok(before)
}

/// Lets a task that stands at the entry of a call skip it.
pub fn skip(tid: Pid) -> nix::Result<()> {
    let mut registers = ptrace::getregs(tid)?;
    registers.orig_rax = u64::MAX;
    ptrace::setregs(tid, registers)
}

/// Sets what the call that has just come back gave.
pub fn set_result(tid: Pid, result: u64) -> nix::Result<()> {
    let mut registers = ptrace::getregs(tid)?;
    registers.rax = result;
    ptrace::setregs(tid, registers)
}

/// Lets a task that has just come back from a call make it once more, with this argument as it was.
pub fn again(tid: Pid, nr: u64, argument: usize, value: u64) -> nix::Result<()> {
    const SYSCALL_INSTRUCTION: u64 = 2;
    let mut registers = ptrace::getregs(tid)?;
    registers.rip -= SYSCALL_INSTRUCTION;
    registers.rax = nr;
    match argument {
        0 => registers.rdi = value,
        1 => registers.rsi = value,
        _ => registers.rdx = value,
    }
    ptrace::setregs(tid, registers)
}
