//! x86-64: `syscall` takes its number in rax and its arguments in rdi, rsi, rdx, r10, r8, r9, and
//! leaves its result in rax (System V ABI, A.2.1). `orig_rax` is the number of the current call.

use std::io::IoSliceMut;

use nix::libc::{self, c_long, user_regs_struct};
use nix::sys::ptrace;
use nix::sys::uio::{RemoteIoVec, process_vm_readv};
use nix::unistd::Pid;

use super::super::entry::Entry;
use super::legacy::LegacyNumbers;

pub const SUPPORTED: bool = true;

/// AUDIT_ARCH_X86_64 (linux/audit.h).
pub const AUDIT_ARCH: u32 = 0xc000_003e;

pub const LEGACY: LegacyNumbers = LegacyNumbers {
    access: Some(libc::SYS_access),
    chmod: Some(libc::SYS_chmod),
    creat: Some(libc::SYS_creat),
    dup2: Some(libc::SYS_dup2),
    epoll_wait: Some(libc::SYS_epoll_wait),
    futimesat: Some(libc::SYS_futimesat),
    link: Some(libc::SYS_link),
    lstat: Some(libc::SYS_lstat),
    mkdir: Some(libc::SYS_mkdir),
    mknod: Some(libc::SYS_mknod),
    open: Some(libc::SYS_open),
    poll: Some(libc::SYS_poll),
    readlink: Some(libc::SYS_readlink),
    rename: Some(libc::SYS_rename),
    renameat: Some(libc::SYS_renameat),
    rmdir: Some(libc::SYS_rmdir),
    select: Some(libc::SYS_select),
    stat: Some(libc::SYS_stat),
    symlink: Some(libc::SYS_symlink),
    unlink: Some(libc::SYS_unlink),
    utime: Some(libc::SYS_utime),
    utimes: Some(libc::SYS_utimes),
};

/// The instruction `syscall`.
const INSTRUCTION: [u8; 2] = [0x0f, 0x05];
/// Bytes below its stack pointer that a function may use (System V ABI, 3.2.2).
const RED_ZONE: u64 = 128;
/// The value of `orig_rax` outside of a system call.
const NO_CALL: u64 = u64::MAX;

/// Values of rax after a call that the kernel will restart (include/linux/errno.h).
const RESTART: [i64; 3] = [-512, -513, -514];
/// The value for a call that continues through restart_syscall(2).
const RESTART_BLOCK: i64 = -516;

fn argument_mut(registers: &mut user_regs_struct, argument: usize) -> &mut u64 {
    match argument {
        0 => &mut registers.rdi,
        1 => &mut registers.rsi,
        2 => &mut registers.rdx,
        3 => &mut registers.r10,
        4 => &mut registers.r8,
        _ => &mut registers.r9,
    }
}

/// Changes an argument of a task that is stopped before or after a call. After the call, not the first
/// one: other processors have the result there.
pub fn set_argument(tid: Pid, argument: usize, value: u64) -> nix::Result<()> {
    let mut registers = ptrace::getregs(tid)?;
    *argument_mut(&mut registers, argument) = value;
    ptrace::setregs(tid, registers)
}

/// Makes a task that is stopped by the filter before a call skip it, with this result.
pub fn answer_call(tid: Pid, result: i64) -> nix::Result<()> {
    let mut registers = ptrace::getregs(tid)?;
    registers.orig_rax = NO_CALL;
    registers.rax = result.cast_unsigned();
    ptrace::setregs(tid, registers)
}

/// Makes a task whose call has just returned make this call again.
pub fn repeat_call(tid: Pid, entry: &Entry) -> nix::Result<()> {
    let mut registers = ptrace::getregs(tid)?;
    registers.rip -= INSTRUCTION.len() as u64;
    registers.rax = entry.number;
    for (argument, value) in entry.arguments.into_iter().enumerate() {
        *argument_mut(&mut registers, argument) = value;
    }
    ptrace::setregs(tid, registers)
}

/// The address of this many unused bytes of the stack of a task, divisible by 16.
pub fn scratch(tid: Pid, length: usize) -> nix::Result<u64> {
    let registers = ptrace::getregs(tid)?;
    Ok((registers.rsp - RED_ZONE - length as u64) & !15)
}

/// Returns `true` if an interrupted task is in a call, so that an [`Injection`] can begin.
pub fn stands_in_call(tid: Pid) -> bool {
    let Ok(registers) = ptrace::getregs(tid) else {
        return false;
    };
    let mut bytes = [0; INSTRUCTION.len()];
    let remote = [RemoteIoVec {
        base: (registers.rip - bytes.len() as u64) as usize,
        len: bytes.len(),
    }];
    registers.orig_rax.cast_signed() >= 0
        && process_vm_readv(tid, &mut [IoSliceMut::new(&mut bytes)], &remote)
            == Ok(INSTRUCTION.len())
        && bytes == INSTRUCTION
}

/// Additional calls in a task that is in a call of its own.
#[derive(Clone, Debug)]
pub struct Injection {
    tid: Pid,
    before: user_regs_struct,
}

impl Injection {
    /// Saves the state of the task.
    pub fn begin(tid: Pid) -> nix::Result<Self> {
        let before = ptrace::getregs(tid)?;
        Ok(Injection { tid, before })
    }

    /// Prepares a call; the task comes to its entry when it is resumed.
    pub fn prepare(&self, number: c_long, arguments: [u64; 3]) -> nix::Result<()> {
        let mut registers = self.before;
        registers.rip -= INSTRUCTION.len() as u64;
        registers.rax = number.cast_unsigned();
        registers.orig_rax = NO_CALL;
        [registers.rdi, registers.rsi, registers.rdx] = arguments;
        [registers.r10, registers.r8] = [0, 0];
        ptrace::setregs(self.tid, registers)
    }

    /// Makes sure that the call whose entry the task has come to is the prepared one.
    pub fn enter(&mut self, _number: c_long) -> nix::Result<()> {
        Ok(())
    }

    /// The result of the call that has just returned.
    pub fn result(&self) -> nix::Result<i64> {
        Ok(ptrace::getregs(self.tid)?.rax.cast_signed())
    }

    /// The same for a copy of the task, which was forked by an additional call.
    pub fn in_copy(&self, tid: Pid) -> Self {
        Injection {
            tid,
            ..self.clone()
        }
    }

    /// Returns the task to its own call, which continues.
    pub fn end(&self) -> nix::Result<()> {
        let mut after = self.before;
        after.orig_rax = NO_CALL;
        let interrupted = self.before.rax.cast_signed();
        if interrupted == RESTART_BLOCK {
            after.rax = libc::SYS_restart_syscall.cast_unsigned();
        } else if RESTART.contains(&interrupted) {
            after.rax = self.before.orig_rax;
        }
        if interrupted == RESTART_BLOCK || RESTART.contains(&interrupted) {
            after.rip -= INSTRUCTION.len() as u64;
        }
        ptrace::setregs(self.tid, after)
    }
}
