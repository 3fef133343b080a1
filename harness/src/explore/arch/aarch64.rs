//! AArch64: `svc #0` takes its number in x8 and its arguments in x0 to x5, and leaves its result in
//! x0 (syscall(2)). The number of the current call is no register: the kernel keeps it apart
//! (NT_ARM_SYSTEM_CALL), and the first argument as well, which is lost otherwise.
//!
//! A call that an interruption has ended is restarted by the kernel before the tracer looks: the
//! task stands before `svc` again, with its first argument in x0 (`do_signal` in
//! arch/arm64/kernel/signal.c).

use std::io::IoSliceMut;

use nix::errno::Errno;
use nix::libc::{self, c_int, c_long, c_void, iovec, user_regs_struct};
use nix::sys::ptrace;
use nix::sys::uio::{RemoteIoVec, process_vm_readv};
use nix::unistd::Pid;

use super::super::entry::Entry;
use super::legacy::LegacyNumbers;

pub const SUPPORTED: bool = true;

/// AUDIT_ARCH_AARCH64 (linux/audit.h).
pub const AUDIT_ARCH: u32 = 0xc000_00b7;

pub const LEGACY: LegacyNumbers = LegacyNumbers {
    renameat: Some(libc::SYS_renameat),
    ..LegacyNumbers::NONE
};

/// `svc #0`.
const INSTRUCTION: [u8; 4] = 0xd400_0001_u32.to_le_bytes();
/// AAPCS64 lets a function use nothing below its stack pointer. Code for other systems may.
const RED_ZONE: u64 = 128;
/// The register of the number.
const NUMBER: usize = 8;
/// As the number of the current call: the task is in no call, or skips it.
const NO_CALL: c_int = -1;

/// The register set with the number of the current call (linux/elf.h).
const NT_ARM_SYSTEM_CALL: usize = 0x404;

fn set_current_call(tid: Pid, number: c_int) -> nix::Result<()> {
    let mut number = number;
    // SAFETY: PTRACE_SETREGSET only reads `number`, which lives until the call returns.
    unsafe { current_call_set(libc::PTRACE_SETREGSET, tid, &mut number) }
}

fn current_call(tid: Pid) -> nix::Result<c_int> {
    let mut number = NO_CALL;
    // SAFETY: PTRACE_GETREGSET writes an `int` for this set, which is what `number` is.
    unsafe { current_call_set(libc::PTRACE_GETREGSET, tid, &mut number) }?;
    Ok(number)
}

/// # Safety
/// The request reads or writes one register set.
unsafe fn current_call_set(request: libc::c_uint, tid: Pid, number: &mut c_int) -> nix::Result<()> {
    let mut set = iovec {
        iov_base: std::ptr::from_mut(number).cast::<c_void>(),
        iov_len: size_of::<c_int>(),
    };
    // SAFETY: the caller vouches for the request. `set` and what it points to live until the call
    // returns, and the kernel stays within its length (ptrace(2)).
    let done = unsafe { libc::ptrace(request, tid.as_raw(), NT_ARM_SYSTEM_CALL, &raw mut set) };
    Errno::result(done).map(drop)
}

/// Changes an argument of a task that stands before or after a call. After the call, not the first
/// one: its result is there.
pub fn set_argument(tid: Pid, argument: usize, value: u64) -> nix::Result<()> {
    let mut registers = ptrace::getregs(tid)?;
    registers.regs[argument] = value;
    ptrace::setregs(tid, registers)
}

/// Makes a task that is stopped by the filter before a call skip it, with this result.
pub fn answer_call(tid: Pid, result: i64) -> nix::Result<()> {
    set_current_call(tid, NO_CALL)?;
    set_argument(tid, 0, result.cast_unsigned())
}

/// Makes a task whose call has just returned make this call again.
pub fn repeat_call(tid: Pid, entry: &Entry) -> nix::Result<()> {
    let mut registers = ptrace::getregs(tid)?;
    registers.pc -= INSTRUCTION.len() as u64;
    registers.regs[NUMBER] = entry.number;
    registers.regs[..entry.arguments.len()].copy_from_slice(&entry.arguments);
    ptrace::setregs(tid, registers)
}

/// The address of this many unused bytes of the stack of a task, divisible by 16.
pub fn scratch(tid: Pid, length: usize) -> nix::Result<u64> {
    let registers = ptrace::getregs(tid)?;
    Ok((registers.sp - RED_ZONE - length as u64) & !15)
}

/// Returns `true` if an interrupted task is in a call, so that an [`Injection`] can begin.
pub fn stands_in_call(tid: Pid) -> bool {
    ptrace::getregs(tid).is_ok_and(|registers| instruction(tid, &registers).is_some())
}

/// The address of the instruction by which a task makes its call: before it if the call is to be
/// restarted, behind it if the call has returned.
fn instruction(tid: Pid, registers: &user_regs_struct) -> Option<u64> {
    let length = INSTRUCTION.len();
    let behind = registers.pc.wrapping_sub(length as u64);
    [registers.pc, behind].into_iter().find(|&address| {
        let mut bytes = [0; INSTRUCTION.len()];
        let remote = [RemoteIoVec {
            base: address as usize,
            len: length,
        }];
        process_vm_readv(tid, &mut [IoSliceMut::new(&mut bytes)], &remote) == Ok(length)
            && bytes == INSTRUCTION
    })
}

/// Additional calls in a task that is in a call of its own.
#[derive(Clone, Debug)]
pub struct Injection {
    tid: Pid,
    before: user_regs_struct,
    instruction: u64,
    /// Its own call goes on by restart_syscall(2), such as a sleep.
    goes_on_by_restart: bool,
}

impl Injection {
    /// Saves the state of the task.
    pub fn begin(tid: Pid) -> nix::Result<Self> {
        let before = ptrace::getregs(tid)?;
        Ok(Injection {
            tid,
            before,
            instruction: instruction(tid, &before).ok_or(Errno::EFAULT)?,
            goes_on_by_restart: false,
        })
    }

    /// Prepares a call; the task comes to its entry when it is resumed.
    pub fn prepare(&self, number: c_long, arguments: [u64; 3]) -> nix::Result<()> {
        let mut registers = self.before;
        registers.pc = self.instruction;
        registers.regs[NUMBER] = number.cast_unsigned();
        registers.regs[..3].copy_from_slice(&arguments);
        registers.regs[3..6].fill(0);
        ptrace::setregs(self.tid, registers)
    }

    /// Makes sure that the call whose entry the task has come to is the prepared one. To let a
    /// sleep go on, the kernel has changed the number after the tracer has set it.
    pub fn enter(&mut self, number: c_long) -> nix::Result<()> {
        if c_long::from(current_call(self.tid)?) == libc::SYS_restart_syscall {
            self.goes_on_by_restart = true;
            set_current_call(self.tid, number as c_int)?;
        }
        Ok(())
    }

    /// The result of the call that has just returned.
    pub fn result(&self) -> nix::Result<i64> {
        Ok(ptrace::getregs(self.tid)?.regs[0].cast_signed())
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
        if self.goes_on_by_restart {
            after.regs[NUMBER] = libc::SYS_restart_syscall.cast_unsigned();
        }
        ptrace::setregs(self.tid, after)?;
        // Otherwise the kernel might take x0 for the result of the call that was made.
        set_current_call(self.tid, NO_CALL)
    }
}
