//! Makes a process that waits for its first command install the filter in all of its threads.

use std::io;

use nix::errno::Errno;
use nix::libc;
use nix::sys::ptrace;
use nix::sys::signal::{Signal, kill};
use nix::sys::wait::{WaitPidFlag, WaitStatus, waitpid};
use nix::unistd::Pid;

use super::super::arch::{Injection, scratch};
use super::super::syscalls;
use super::filter;

const SECCOMP_SET_MODE_FILTER: u64 = 1;
const SECCOMP_FILTER_FLAG_TSYNC: u64 = 1;

/// Installs the filter in the process of this task, which was interrupted in a call; the call
/// continues afterwards.
pub fn install(tid: Pid) -> io::Result<()> {
    let header = write_program(tid)?;
    let mut injection = Injection::begin(tid)?;
    let mut held = Vec::new();
    let mut call = |number: libc::c_long, arguments: [u64; 3]| -> io::Result<i64> {
        injection.prepare(number, arguments)?;
        to_next_stop(tid, &mut held)?;
        injection.enter(number)?;
        to_next_stop(tid, &mut held)?;
        Ok(injection.result()?)
    };
    let seccomp = [SECCOMP_SET_MODE_FILTER, SECCOMP_FILTER_FLAG_TSYNC, header];
    let mut result = call(libc::SYS_seccomp, seccomp)?;
    if result == -i64::from(libc::EACCES) {
        // Without privileges, the process must first renounce new ones.
        call(libc::SYS_prctl, [libc::PR_SET_NO_NEW_PRIVS as u64, 1, 0])?;
        result = call(libc::SYS_seccomp, seccomp)?;
    }
    injection.end()?;
    for signal in held {
        kill(tid, signal)?;
    }
    match result {
        0 => Ok(()),
        // With TSYNC, a positive result is a thread that has another filter.
        1.. => Err(io::Error::other("a thread has a seccomp filter of its own")),
        error => Err(io::Error::from_raw_os_error(-error as i32)),
    }
}

/// Writes the filter and its `struct sock_fprog` to the stack of the task; returns the address of
/// the latter.
fn write_program(tid: Pid) -> io::Result<u64> {
    let program = filter::program();
    let mut bytes = Vec::new();
    for step in &program {
        bytes.extend(step.code.to_ne_bytes());
        bytes.extend([step.jt, step.jf]);
        bytes.extend(step.k.to_ne_bytes());
    }
    let address = scratch(tid, bytes.len() + 16)?;
    let header = address + bytes.len() as u64;
    bytes.extend((program.len() as u64).to_ne_bytes());
    bytes.extend(address.to_ne_bytes());
    syscalls::write(tid, address, &bytes)?;
    Ok(header)
}

/// Lets the task go on to the entry of a call, or from there to its end. Signals are held back:
/// their handlers make calls of their own.
fn to_next_stop(tid: Pid, held: &mut Vec<Signal>) -> io::Result<()> {
    loop {
        ptrace::syscall(tid, None)?;
        match waitpid(tid, Some(WaitPidFlag::__WALL)) {
            Ok(WaitStatus::PtraceSyscall(_)) => return Ok(()),
            Ok(WaitStatus::Stopped(_, signal)) => held.push(signal),
            Ok(WaitStatus::Exited(..) | WaitStatus::Signaled(..)) => {
                return Err(io::Error::other("it has ended"));
            }
            Ok(_) | Err(Errno::EINTR) => {}
            Err(error) => return Err(error.into()),
        }
    }
}
