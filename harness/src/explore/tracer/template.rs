//! Templates: stopped processes of which each schedule gets a copy.
//!
//! A worker that waits for its first command forks because it is made to (clone3(2)); the fork,
//! which never runs, is the template. Each copy has the process number that the worker had, since
//! programs remember their own number, and no two copies exist at a time. Choosing a number needs
//! Linux 5.5, and CAP_SYS_ADMIN or, since 5.9, CAP_CHECKPOINT_RESTORE.

use std::io;

use nix::errno::Errno;
use nix::libc;
use nix::sys::ptrace;
use nix::sys::signal::{Signal, kill};
use nix::sys::wait::{WaitPidFlag, WaitStatus, waitpid};
use nix::unistd::Pid;

use crate::procfs;

use super::super::arch::{Injection, scratch};
use super::super::syscalls;
use super::inject;

/// A stopped process, and what is needed to copy it. Killed when dropped.
#[derive(Debug)]
pub struct Template {
    tid: Pid,
    /// The process number of each copy.
    number: Pid,
    state: Injection,
    arguments: u64,
    /// Set once its page tables contain the pages that the first copy used.
    has_pages: bool,
}

/// The size of `struct clone_args` up to its member `set_tid_size`.
const SIZE: usize = 80;

/// A `struct clone_args`, and behind it the process number that it refers to. The parent of the
/// copy is that of its template, so that the explorer reaps it.
fn arguments(address: u64, number: Option<Pid>) -> Vec<u8> {
    let mut words = [0_u64; SIZE / 8];
    words[0] = libc::CLONE_PARENT as u64;
    if number.is_some() {
        words[8] = address + SIZE as u64;
        words[9] = 1;
    }
    let number = number.map_or(0, Pid::as_raw);
    let words = words.iter().flat_map(|word| word.to_ne_bytes());
    words.chain(number.to_ne_bytes()).collect()
}

/// Writes the arguments of a call that copies this task, and makes it. Returns the number of the
/// copy, or a negative error.
fn clone(tid: Pid, state: &mut Injection, address: u64, number: Option<Pid>) -> io::Result<i64> {
    syscalls::write(tid, address, &arguments(address, number))?;
    // Nothing but the explorer uses it, so signals do not matter.
    let held = &mut Vec::new();
    let place = [address, SIZE as u64, 0];
    inject::call(tid, state, libc::SYS_clone3, place, held)
}

impl Template {
    /// Makes a template of a process with one thread that was interrupted in a call, and kills the
    /// process. On an error, the process remains as it was.
    pub(super) fn of(process: Pid) -> io::Result<Self> {
        let mut state = Injection::begin(process)?;
        let made = Self::fork(process, &mut state);
        match made {
            Ok(template) => {
                end(process);
                Ok(template)
            }
            Err(error) => {
                state.end()?;
                Err(error)
            }
        }
    }

    fn fork(process: Pid, state: &mut Injection) -> io::Result<Self> {
        let address = scratch(process, SIZE + 8)?;
        // The number is taken, which the kernel checks last.
        match clone(process, state, address, Some(process))? {
            result if result == -i64::from(libc::EEXIST) => {}
            error => return Err(io::Error::from_raw_os_error(-error as i32)),
        }
        let tid = match clone(process, state, address, None)? {
            tid @ 1.. => Pid::from_raw(tid as i32),
            error => return Err(io::Error::from_raw_os_error(-error as i32)),
        };
        let mut template = Template {
            tid,
            number: process,
            state: state.in_copy(tid),
            arguments: address,
            has_pages: false,
        };
        until_stopped(tid)?;
        // The number of the worker must not remain in use as that of its group.
        let held = &mut Vec::new();
        match inject::call(tid, &mut template.state, libc::SYS_setpgid, [0; 3], held)? {
            0 => Ok(template),
            error => Err(io::Error::from_raw_os_error(-error as i32)),
        }
    }

    /// The process number of the template itself.
    pub fn pid(&self) -> Pid {
        self.tid
    }

    /// Enters the pages of code and constants that its first copy has used, so that later ones begin
    /// with them instead of having a page fault for each group of them: the kernel copies the page
    /// table of a mapping if the process has written to it (`vma_needs_copy` in Linux's
    /// `mm/memory.c`). Where that is impossible, copies are merely slower.
    pub fn learn_pages(&mut self, copy: Pid) {
        if std::mem::replace(&mut self.has_pages, true) {
            return;
        }
        for mapping in procfs::private_files(self.tid) {
            let used = procfs::present_pages(copy, mapping).unwrap_or_default();
            let Some(first) = used.first() else {
                continue;
            };
            for page in &used {
                let _ = ptrace::read(self.tid, *page as ptrace::AddressType);
            }
            let first = *first as ptrace::AddressType;
            let _ =
                ptrace::read(self.tid, first).and_then(|word| ptrace::write(self.tid, first, word));
        }
    }

    /// A copy, which stands before the call in which the process was interrupted.
    pub(super) fn copy(&mut self) -> io::Result<Pid> {
        let number = Some(self.number);
        match clone(self.tid, &mut self.state, self.arguments, number)? {
            tid @ 1.. => {
                let copy = Pid::from_raw(tid as i32);
                until_stopped(copy)?;
                self.state.in_copy(copy).end()?;
                Ok(copy)
            }
            error => Err(io::Error::from_raw_os_error(-error as i32)),
        }
    }
}

impl Drop for Template {
    fn drop(&mut self) {
        end(self.tid);
    }
}

/// Waits until a new task has stopped.
fn until_stopped(tid: Pid) -> io::Result<()> {
    loop {
        match waitpid(tid, Some(WaitPidFlag::__WALL)) {
            Ok(WaitStatus::PtraceEvent(_, _, event)) if event == libc::PTRACE_EVENT_STOP => {
                return Ok(());
            }
            Ok(WaitStatus::Exited(..) | WaitStatus::Signaled(..)) => {
                return Err(io::Error::other("it has ended"));
            }
            Ok(_) => ptrace::cont(tid, None)?,
            Err(Errno::EINTR) => {}
            Err(error) => return Err(error.into()),
        }
    }
}

/// Kills a task and reaps it.
fn end(tid: Pid) {
    let _ = kill(tid, Signal::SIGKILL);
    loop {
        match waitpid(tid, Some(WaitPidFlag::__WALL)) {
            Ok(WaitStatus::Exited(..) | WaitStatus::Signaled(..)) => return,
            Ok(_) | Err(Errno::EINTR) => {}
            Err(_) => return,
        }
    }
}
