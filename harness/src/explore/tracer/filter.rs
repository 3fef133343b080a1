//! The seccomp filter that stops calls that may matter to a lock (seccomp(2), SECCOMP_RET_TRACE)
//! and lets all others pass.
//!
//! A filter sees only numbers and arguments. Whether a path lies in the lock's directory is decided
//! after the call has stopped.

use nix::libc::{self, sock_filter};

use super::super::arch::AUDIT_ARCH;
use super::super::syscalls::{Stops, TABLE};

/// Offsets in `struct seccomp_data`: number, architecture, lower half of an argument.
const NUMBER: u32 = 0;
const ARCHITECTURE: u32 = 4;
const fn argument(n: usize) -> u32 {
    16 + 8 * n as u32
}

const ALLOW: u32 = libc::SECCOMP_RET_ALLOW;
const TRACE: u32 = libc::SECCOMP_RET_TRACE;

fn load(offset: u32) -> sock_filter {
    instruction(libc::BPF_LD | libc::BPF_W | libc::BPF_ABS, offset, 0, 0)
}

fn answer(value: u32) -> sock_filter {
    instruction(libc::BPF_RET | libc::BPF_K, value, 0, 0)
}

/// Skips this many instructions unless the accumulator has this value.
fn unless_equal_skip(value: u32, skip: u8) -> sock_filter {
    instruction(libc::BPF_JMP | libc::BPF_JEQ | libc::BPF_K, value, 0, skip)
}

fn instruction(code: u32, k: u32, jt: u8, jf: u8) -> sock_filter {
    sock_filter {
        code: code as u16,
        jt,
        jf,
        k,
    }
}

/// The filter program.
pub fn program() -> Vec<sock_filter> {
    let mut program = vec![
        load(ARCHITECTURE),
        // Calls through the interface of another architecture, such as 32-bit calls, are not
        // watched.
        unless_equal_skip(AUDIT_ARCH, 1),
        instruction(libc::BPF_JMP | libc::BPF_JA, 1, 0, 0),
        answer(ALLOW),
        load(NUMBER),
    ];
    for call in TABLE {
        let body = match call.stops {
            Stops::Always => vec![answer(TRACE)],
            Stops::Refused(error) => vec![answer(libc::SECCOMP_RET_ERRNO | error as u32)],
            Stops::Commands {
                argument,
                ignored,
                values,
                limit,
            } => commands(argument, ignored, values, limit),
        };
        let Some(number) = call.number else { continue };
        program.push(unless_equal_skip(number as u32, body.len() as u8));
        program.extend(body);
    }
    program.push(answer(ALLOW));
    program
}

/// Stops the call if its argument, without these bits, is one of these values.
fn commands(
    command: usize,
    ignored: i32,
    values: &[i32],
    limit: Option<usize>,
) -> Vec<sock_filter> {
    let mut body = Vec::new();
    if let Some(limit) = limit {
        // In practice, only the null pointer has a lower half of zero.
        body.push(load(argument(limit)));
        body.push(unless_equal_skip(0, 1));
        body.push(answer(ALLOW));
    }
    body.push(load(argument(command)));
    if ignored != 0 {
        let mask = libc::BPF_ALU | libc::BPF_AND | libc::BPF_K;
        body.push(instruction(mask, !ignored as u32, 0, 0));
    }
    for &value in values {
        body.push(unless_equal_skip(value as u32, 1));
        body.push(answer(TRACE));
    }
    body.push(answer(ALLOW));
    body
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The kernel's reaction to a call.
    fn judge(number: libc::c_long, arguments: [u32; 4]) -> u32 {
        let program = program();
        let word = |offset: u32| match offset {
            NUMBER => number as u32,
            ARCHITECTURE => AUDIT_ARCH,
            offset => arguments[((offset - 16) / 8) as usize],
        };
        let (mut at, mut accumulator) = (0, 0);
        loop {
            let step = &program[at];
            at += 1;
            match u32::from(step.code) {
                code if code == libc::BPF_LD | libc::BPF_W | libc::BPF_ABS => {
                    accumulator = word(step.k);
                }
                code if code == libc::BPF_JMP | libc::BPF_JA => at += step.k as usize,
                code if code == libc::BPF_JMP | libc::BPF_JEQ | libc::BPF_K => {
                    at += usize::from(if accumulator == step.k {
                        step.jt
                    } else {
                        step.jf
                    });
                }
                code if code == libc::BPF_ALU | libc::BPF_AND | libc::BPF_K => {
                    accumulator &= step.k
                }
                code if code == libc::BPF_RET | libc::BPF_K => return step.k,
                code => panic!("instruction {code:#x}"),
            }
        }
    }

    #[test]
    fn what_may_matter_stops_and_nothing_else() {
        for call in TABLE {
            if let (Stops::Always, Some(number)) = (call.stops, call.number) {
                assert_eq!(judge(number, [0; 4]), TRACE, "{}", call.name);
            }
        }
        for number in [
            libc::SYS_mmap,
            libc::SYS_clone,
            libc::SYS_brk,
            libc::SYS_wait4,
        ] {
            assert_eq!(judge(number, [0; 4]), ALLOW, "{number}");
        }
        let fcntl = |command: i32| judge(libc::SYS_fcntl, [3, command as u32, 0, 0]);
        assert_eq!(fcntl(libc::F_OFD_SETLKW), TRACE);
        assert_eq!(fcntl(libc::F_GETFD), ALLOW);
        let futex = |operation: i32, limit| judge(libc::SYS_futex, [1, operation as u32, 0, limit]);
        let private = libc::FUTEX_WAIT_BITSET | libc::FUTEX_PRIVATE_FLAG;
        assert_eq!(futex(private, 0x7fff), TRACE);
        assert_eq!(futex(private, 0), ALLOW);
        assert_eq!(futex(libc::FUTEX_WAKE, 0x7fff), ALLOW);
        assert_eq!(
            judge(libc::SYS_io_uring_setup, [0; 4]),
            libc::SECCOMP_RET_ERRNO | libc::ENOSYS as u32
        );
    }
}
