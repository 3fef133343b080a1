//! The seccomp filter that lets every call pass but those that may matter to a lock; these stop for the tracer (seccomp(2), SECCOMP_RET_TRACE).
//!
//! A filter sees numbers and arguments only; whether a path lies in the lock's directory is looked up when a call has stopped.

use nix::libc::{self, sock_filter};

/// Calls that stop whatever their arguments are.
const WATCHED: &[libc::c_long] = &[
    libc::SYS_read,
    libc::SYS_write,
    libc::SYS_pread64,
    libc::SYS_pwrite64,
    libc::SYS_readv,
    libc::SYS_writev,
    libc::SYS_preadv,
    libc::SYS_pwritev,
    libc::SYS_sendfile,
    libc::SYS_copy_file_range,
    libc::SYS_open,
    libc::SYS_openat,
    libc::SYS_openat2,
    libc::SYS_creat,
    libc::SYS_close,
    libc::SYS_close_range,
    libc::SYS_dup2,
    libc::SYS_dup3,
    libc::SYS_stat,
    libc::SYS_lstat,
    libc::SYS_fstat,
    libc::SYS_newfstatat,
    libc::SYS_statx,
    libc::SYS_access,
    libc::SYS_faccessat,
    libc::SYS_faccessat2,
    libc::SYS_readlink,
    libc::SYS_readlinkat,
    libc::SYS_getdents64,
    libc::SYS_unlink,
    libc::SYS_unlinkat,
    libc::SYS_rmdir,
    libc::SYS_mkdir,
    libc::SYS_mkdirat,
    libc::SYS_mknod,
    libc::SYS_mknodat,
    libc::SYS_rename,
    libc::SYS_renameat,
    libc::SYS_renameat2,
    libc::SYS_link,
    libc::SYS_linkat,
    libc::SYS_symlink,
    libc::SYS_symlinkat,
    libc::SYS_truncate,
    libc::SYS_ftruncate,
    libc::SYS_fallocate,
    libc::SYS_chmod,
    libc::SYS_fchmod,
    libc::SYS_fchmodat,
    libc::SYS_utime,
    libc::SYS_utimes,
    libc::SYS_utimensat,
    libc::SYS_futimesat,
    libc::SYS_setxattr,
    libc::SYS_getxattr,
    libc::SYS_removexattr,
    libc::SYS_flock,
    libc::SYS_kill,
    libc::SYS_nanosleep,
    libc::SYS_clock_nanosleep,
    libc::SYS_select,
    libc::SYS_pselect6,
    libc::SYS_poll,
    libc::SYS_ppoll,
    libc::SYS_epoll_wait,
    libc::SYS_epoll_pwait,
    libc::SYS_epoll_pwait2,
];

/// Of fcntl(2), these stop.
const FCNTL: &[i32] = &[
    libc::F_SETLK,
    libc::F_SETLKW,
    libc::F_OFD_SETLK,
    libc::F_OFD_SETLKW,
    libc::F_SETLEASE,
];

/// Of futex(2), these stop, if there is a time limit: they are sleeps of a kind.
const FUTEX: &[i32] = &[libc::FUTEX_WAIT, libc::FUTEX_WAIT_BITSET];

const AUDIT_ARCH_X86_64: u32 = 0xc000_003e;
/// Where `struct seccomp_data` has the number, the architecture, and the lower half of an argument.
const NUMBER: u32 = 0;
const ARCHITECTURE: u32 = 4;
const fn argument(n: u32) -> u32 {
    16 + 8 * n
}

const ALLOW: u32 = libc::SECCOMP_RET_ALLOW;
const TRACE: u32 = libc::SECCOMP_RET_TRACE;

fn load(offset: u32) -> sock_filter {
    instruction(libc::BPF_LD | libc::BPF_W | libc::BPF_ABS, offset, 0, 0)
}

fn answer(value: u32) -> sock_filter {
    instruction(libc::BPF_RET | libc::BPF_K, value, 0, 0)
}

/// Goes on with the next instruction if they are equal, and skips so many otherwise.
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

/// The program.
pub fn program() -> Vec<sock_filter> {
    let mut program = vec![
        load(ARCHITECTURE),
        // Other architectures on this processor are not watched.
        unless_equal_skip(AUDIT_ARCH_X86_64, 1),
        instruction(libc::BPF_JMP | libc::BPF_JA, 1, 0, 0),
        answer(ALLOW),
        load(NUMBER),
        // What is in a ring of io_uring(7) cannot be watched: whoever asks is told that this kernel has none.
        unless_equal_skip(libc::SYS_io_uring_setup as u32, 1),
        answer(libc::SECCOMP_RET_ERRNO | libc::ENOSYS as u32),
    ];
    for &number in WATCHED {
        program.push(unless_equal_skip(number as u32, 1));
        program.push(answer(TRACE));
    }
    for (number, which, values) in [(libc::SYS_fcntl, 1, FCNTL), (libc::SYS_futex, 1, FUTEX)] {
        let futex = number == libc::SYS_futex;
        let mut body = Vec::new();
        if futex {
            // Without a time limit, it is not a sleep (the lower half of a pointer is zero for a null pointer alone, in practice).
            body.push(load(argument(3)));
            body.push(unless_equal_skip(0, 1));
            body.push(answer(ALLOW));
        }
        body.push(load(argument(which)));
        if futex {
            let command = !(libc::FUTEX_PRIVATE_FLAG | libc::FUTEX_CLOCK_REALTIME) as u32;
            body.push(instruction(
                libc::BPF_ALU | libc::BPF_AND | libc::BPF_K,
                command,
                0,
                0,
            ));
        }
        for &value in values {
            body.push(unless_equal_skip(value as u32, 1));
            body.push(answer(TRACE));
        }
        body.push(answer(ALLOW));
        program.push(unless_equal_skip(number as u32, body.len() as u8));
        program.extend(body);
    }
    program.push(answer(ALLOW));
    program
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What the kernel would do with it.
    fn judge(number: libc::c_long, arguments: [u32; 4]) -> u32 {
        let program = program();
        let word = |offset: u32| match offset {
            NUMBER => number as u32,
            ARCHITECTURE => AUDIT_ARCH_X86_64,
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
        for &number in WATCHED {
            assert_eq!(judge(number, [0; 4]), TRACE, "{number}");
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
