//! Changes to a call that a task is about to make, or has just made.

use nix::sys::ptrace;
use nix::unistd::Pid;

fn place(registers: &mut nix::libc::user_regs_struct, argument: usize) -> &mut u64 {
    match argument {
        0 => &mut registers.rdi,
        1 => &mut registers.rsi,
        2 => &mut registers.rdx,
        3 => &mut registers.r10,
        _ => &mut registers.r8,
    }
}

/// Changes an argument of the call that a task is about to make; gives the value that it had.
pub fn set_argument(tid: Pid, argument: usize, value: u64) -> nix::Result<u64> {
    let mut registers = ptrace::getregs(tid)?;
    let before = std::mem::replace(place(&mut registers, argument), value);
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
pub fn set_result(tid: Pid, result: i64) -> nix::Result<()> {
    let mut registers = ptrace::getregs(tid)?;
    registers.rax = result as u64;
    ptrace::setregs(tid, registers)
}

/// Lets a task that has just come back from a call make it once more, with this argument as it was.
pub fn again(tid: Pid, number: u64, argument: usize, value: u64) -> nix::Result<()> {
    const SYSCALL_INSTRUCTION: u64 = 2;
    let mut registers = ptrace::getregs(tid)?;
    registers.rip -= SYSCALL_INSTRUCTION;
    registers.rax = number;
    *place(&mut registers, argument) = value;
    ptrace::setregs(tid, registers)
}
