//! Lets a process that waits for its first command make calls of ours, to put the filter over all of its threads.

use std::io::{self, IoSlice, IoSliceMut};

use nix::errno::Errno;
use nix::libc;
use nix::sys::ptrace;
use nix::sys::uio::{RemoteIoVec, process_vm_readv};
use nix::sys::wait::{WaitPidFlag, WaitStatus, waitpid};
use nix::unistd::Pid;

use super::filter;

/// `syscall`.
const INSTRUCTION: [u8; 2] = [0x0f, 0x05];
/// Below the stack pointer, a function may use this much (System V ABI, x86-64, 3.2.2).
const RED_ZONE: u64 = 128;
const SECCOMP_SET_MODE_FILTER: u64 = 1;
const SECCOMP_FILTER_FLAG_TSYNC: u64 = 1;

/// What the kernel leaves in the result of a call that it is going to begin anew (include/linux/errno.h).
const BEGIN_ANEW: [i64; 3] = [-512, -513, -514];
const BEGIN_ANEW_BY_BLOCK: i64 = -516;

/// Whether a task that has been interrupted stands in a call, so that [`install`] can use it.
pub fn stands_in_call(tid: Pid) -> bool {
    let Ok(registers) = ptrace::getregs(tid) else {
        return false;
    };
    let mut bytes = [0; 2];
    let remote = [RemoteIoVec {
        base: (registers.rip - 2) as usize,
        len: 2,
    }];
    (registers.orig_rax as i64) >= 0
        && process_vm_readv(tid, &mut [IoSliceMut::new(&mut bytes)], &remote) == Ok(2)
        && bytes == INSTRUCTION
}

/// Puts the filter over the process of this task, which stands in a call after an interruption; the call goes on afterwards.
pub fn install(tid: Pid) -> io::Result<()> {
    let before = ptrace::getregs(tid)?;
    let program = filter::program();
    let mut bytes = Vec::new();
    for step in &program {
        bytes.extend(step.code.to_ne_bytes());
        bytes.extend([step.jt, step.jf]);
        bytes.extend(step.k.to_ne_bytes());
    }
    let address = (before.rsp - RED_ZONE - bytes.len() as u64 - 16) & !15;
    let header = address + bytes.len() as u64;
    bytes.extend((program.len() as u64).to_ne_bytes());
    bytes.extend(address.to_ne_bytes());
    write(tid, address, &bytes)?;
    let call = |number: libc::c_long, arguments: [u64; 3]| -> io::Result<i64> {
        let mut registers = before;
        registers.rip = before.rip - INSTRUCTION.len() as u64;
        registers.rax = number as u64;
        registers.orig_rax = u64::MAX;
        [registers.rdi, registers.rsi, registers.rdx] = arguments;
        [registers.r10, registers.r8] = [0, 0];
        ptrace::setregs(tid, registers)?;
        to_next_stop(tid)?;
        to_next_stop(tid)?;
        Ok(ptrace::getregs(tid)?.rax as i64)
    };
    let seccomp = [SECCOMP_SET_MODE_FILTER, SECCOMP_FILTER_FLAG_TSYNC, header];
    let mut result = call(libc::SYS_seccomp, seccomp)?;
    if result == -i64::from(libc::EACCES) {
        // Without privileges, one has to renounce new ones first.
        call(libc::SYS_prctl, [libc::PR_SET_NO_NEW_PRIVS as u64, 1, 0])?;
        result = call(libc::SYS_seccomp, seccomp)?;
    }
    let mut after = before;
    after.orig_rax = u64::MAX;
    let interrupted = before.rax as i64;
    if BEGIN_ANEW.contains(&interrupted) || interrupted == BEGIN_ANEW_BY_BLOCK {
        after.rip -= INSTRUCTION.len() as u64;
        after.rax = match interrupted {
            BEGIN_ANEW_BY_BLOCK => libc::SYS_restart_syscall as u64,
            _ => before.orig_rax,
        };
    }
    ptrace::setregs(tid, after)?;
    match result {
        0 => Ok(()),
        // With TSYNC, a positive result is the thread that has another filter.
        1.. => Err(io::Error::other("a thread has a seccomp filter of its own")),
        error => Err(io::Error::from_raw_os_error(-error as i32)),
    }
}

fn write(tid: Pid, address: u64, bytes: &[u8]) -> io::Result<()> {
    let remote = [RemoteIoVec {
        base: address as usize,
        len: bytes.len(),
    }];
    nix::sys::uio::process_vm_writev(tid, &[IoSlice::new(bytes)], &remote)?;
    Ok(())
}

/// From the entry of a call to its end, or to the entry.
fn to_next_stop(tid: Pid) -> io::Result<()> {
    let mut signal = None;
    loop {
        ptrace::syscall(tid, signal.take())?;
        match waitpid(tid, Some(WaitPidFlag::__WALL)) {
            Ok(WaitStatus::PtraceSyscall(_)) => return Ok(()),
            Ok(WaitStatus::Stopped(_, stopped_by)) => signal = Some(stopped_by),
            Ok(WaitStatus::Exited(..) | WaitStatus::Signaled(..)) => {
                return Err(io::Error::other("it has ended"));
            }
            Ok(_) | Err(Errno::EINTR) => {}
            Err(error) => return Err(error.into()),
        }
    }
}
