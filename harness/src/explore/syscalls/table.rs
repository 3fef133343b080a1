//! The table of system calls.

use nix::libc::{self, c_long};

use super::super::arch::LEGACY;
use super::effect::Effect::{self, Claim, Modify, Observe, Release};
use super::operation::Operation::{self, *};

/// One system call: when it stops, its files, its effect, and how it may wait.
#[derive(Clone, Copy, Debug)]
pub struct SystemCall {
    /// `None` if this processor has no such call.
    pub number: Option<c_long>,
    /// Name in syscalls(2), for tests and debuggers.
    #[cfg_attr(not(test), allow(dead_code, reason = "only displayed"))]
    pub name: &'static str,
    /// The uses of the call that the filter stops.
    pub stops: Stops,
    /// The files that it operates on.
    pub files: &'static [Argument],
    /// Its operation and effect; the first matching case applies.
    pub cases: Cases,
    pub blocking: Blocking,
    /// Set if it may write an answer to the driver.
    pub answers: bool,
    /// The place of the bytes that it sends, if it may send any to a socket; the socket is the first
    /// argument.
    pub sends: Option<Sends>,
}

/// The filter's treatment of a call.
#[derive(Clone, Copy, Debug)]
pub enum Stops {
    /// The call stops for the tracer.
    Always,
    /// The call stops if the argument, without the bits of `ignored`, is one of `values`, and, if
    /// there is an argument `limit`, only with a pointer in it.
    Commands {
        argument: usize,
        ignored: i32,
        values: &'static [i32],
        limit: Option<usize>,
    },
    /// The call fails with this error.
    Refused(i32),
}

/// The argument that identifies a file.
#[derive(Clone, Copy, Debug)]
pub enum Argument {
    /// A path, relative to the working directory.
    Path(usize),
    /// A path in the second argument, relative to the directory descriptor in the first.
    PathAt(usize, usize),
    /// A descriptor.
    Fd(usize),
    /// All descriptors from the first to the second argument.
    Fds(usize, usize),
    /// A process, not a file.
    Process,
}

/// The cases of a call.
#[derive(Clone, Copy, Debug)]
pub enum Cases {
    /// No effect on a lock.
    Nothing,
    Always(Operation, Effect),
    /// The first case whose condition is met; no effect if none is.
    First(&'static [(Condition, Operation, Effect)]),
}

/// A condition on the arguments of a call.
#[derive(Clone, Copy, Debug)]
pub enum Condition {
    Otherwise,
    /// One of these bits is set in the argument.
    Bits(usize, i32),
    /// One of these bits is set in the `u64` that the argument points to.
    BitsBehind(usize, i32),
    /// The argument is one of these.
    OneOf(usize, &'static [i32]),
    /// The argument is one of these values, and the last argument points to a `short` of this
    /// value.
    OneOfAndShort(usize, &'static [i32], usize, i32),
    /// The two arguments differ.
    Differ(usize, usize),
}

/// The ways in which a call may wait.
#[derive(Clone, Copy, Debug)]
pub enum Blocking {
    /// Not for long, or for something unwatched.
    Never,
    /// For a lock, unless a bit of `unless` is set. With `instead` added, it fails at once.
    LockUnless {
        argument: usize,
        unless: i32,
        instead: i32,
    },
    /// For a lock, if the argument is the first of a pair. With the second, it fails at once.
    LockIf {
        argument: usize,
        instead: &'static [(i32, i32)],
    },
    /// For the time in this argument; `clock` holds the arguments with a clock and with the flags.
    Sleep {
        time: usize,
        clock: Option<(usize, usize)>,
    },
    /// For descriptors, or until a time limit; `count` holds the number of descriptors. Without
    /// descriptors the call is a sleep.
    Descriptors { count: Option<usize>, limit: Limit },
    /// For another thread: address, operation, value, time limit, as in futex(2).
    Futex,
}

/// The place of the bytes that a call sends.
#[derive(Clone, Copy, Debug)]
pub enum Sends {
    /// Address and length in these arguments.
    Buffer(usize, usize),
    /// Address and number of `struct iovec` in these arguments.
    Vector(usize, usize),
    /// A pointer to a `struct msghdr` in this argument.
    Message(usize),
    /// Somewhere else, as the contents of a file.
    Elsewhere,
}

/// The location of a wait's time limit.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Limit {
    /// Milliseconds in this argument; negative for no limit.
    Milliseconds(usize),
    /// A pointer to a `struct timespec` in this argument, null for no limit.
    Pointer(usize),
    /// The same in a call that can be made again: it overwrites nothing that it reads.
    PointerInPoll(usize),
}

impl SystemCall {
    /// The call with this number, if the table has it.
    pub fn find(number: u64) -> Option<&'static SystemCall> {
        let mut rows = TABLE.iter();
        rows.find(|row| row.number.map(c_long::cast_unsigned) == Some(number))
    }

    /// Returns `true` if a use of the call can be a step of a schedule.
    pub fn is_scheduling_point(&self) -> bool {
        !matches!(self.cases, Cases::Nothing)
            || matches!(
                self.blocking,
                Blocking::Sleep { .. } | Blocking::Descriptors { count: Some(_), .. }
            )
    }

    /// Returns `true` if it closes the descriptor in its first argument.
    pub fn closes(&self) -> bool {
        matches!(self.cases, Cases::Always(Close, _)) && matches!(self.files, [Fd(0)])
    }

    const fn blocks(mut self, blocking: Blocking) -> Self {
        self.blocking = blocking;
        self
    }

    const fn stops(mut self, stops: Stops) -> Self {
        self.stops = stops;
        self
    }

    const fn sends(mut self, sends: Sends) -> Self {
        self.sends = Some(sends);
        self
    }

    const fn answers(mut self) -> Self {
        self.answers = true;
        self
    }
}

/// A call that always does the same.
const fn call(
    number: Option<c_long>,
    name: &'static str,
    operation: Operation,
    effect: Effect,
    files: &'static [Argument],
) -> SystemCall {
    cases(number, name, Cases::Always(operation, effect), files)
}

/// A call whose effect depends on its arguments.
const fn cases(
    number: Option<c_long>,
    name: &'static str,
    cases: Cases,
    files: &'static [Argument],
) -> SystemCall {
    SystemCall {
        number,
        name,
        stops: Stops::Always,
        files,
        cases,
        blocking: Blocking::Never,
        answers: false,
        sends: None,
    }
}

/// A call that only waits.
const fn waits(number: Option<c_long>, name: &'static str, blocking: Blocking) -> SystemCall {
    cases(number, name, Cases::Nothing, &[]).blocks(blocking)
}

use Argument::{Fd, Fds, Path, PathAt, Process};
use Condition::{Bits, BitsBehind, Differ, OneOf, OneOfAndShort, Otherwise};
use Limit::{Milliseconds, Pointer, PointerInPoll};
use Sends::{Buffer, Elsewhere, Message, Vector};

const CREATES: i32 = libc::O_CREAT | libc::O_TRUNC;
const OPEN: Cases = Cases::First(&[(Bits(1, CREATES), Open, Modify), (Otherwise, Open, Observe)]);
const OPENAT: Cases = Cases::First(&[(Bits(2, CREATES), Open, Modify), (Otherwise, Open, Observe)]);
const OPENAT2: Cases = Cases::First(&[
    (BitsBehind(2, CREATES), Open, Modify),
    (Otherwise, Open, Observe),
]);
const DUP: Cases = Cases::First(&[(Differ(0, 1), Close, Release)]);
const UNLINKAT: Cases = Cases::First(&[
    (Bits(2, libc::AT_REMOVEDIR), Rmdir, Claim),
    (Otherwise, Unlink, Claim),
]);
const RENAMEAT2: Cases = Cases::First(&[
    (Bits(4, libc::RENAME_EXCHANGE as i32), Exchange, Claim),
    (Otherwise, Rename, Claim),
]);
const FLOCK: Cases = Cases::First(&[
    (Bits(1, libc::LOCK_UN), Funlock, Release),
    (Otherwise, Flock, Claim),
]);
/// Signal 0 checks whether a process exists.
const KILL: Cases = Cases::First(&[(OneOf(1, &[0]), Kill, Observe)]);

const LOCKS: &[i32] = &[
    libc::F_SETLK,
    libc::F_SETLKW,
    libc::F_OFD_SETLK,
    libc::F_OFD_SETLKW,
];
const FCNTL: Cases = Cases::First(&[
    (OneOfAndShort(1, LOCKS, 2, libc::F_UNLCK), Unlock, Release),
    (OneOf(1, LOCKS), Lock, Claim),
    (OneOf(1, &[libc::F_SETLEASE]), Lease, Claim),
]);
const FCNTL_STOPS: Stops = Stops::Commands {
    argument: 1,
    ignored: 0,
    values: &[
        libc::F_SETLK,
        libc::F_SETLKW,
        libc::F_OFD_SETLK,
        libc::F_OFD_SETLKW,
        libc::F_SETLEASE,
    ],
    limit: None,
};
/// Waits with a time limit, which are sleeps of a kind.
const FUTEX_STOPS: Stops = Stops::Commands {
    argument: 1,
    ignored: libc::FUTEX_PRIVATE_FLAG | libc::FUTEX_CLOCK_REALTIME,
    values: &[libc::FUTEX_WAIT, libc::FUTEX_WAIT_BITSET],
    limit: Some(3),
};

const FLOCK_BLOCKS: Blocking = Blocking::LockUnless {
    argument: 1,
    unless: libc::LOCK_NB | libc::LOCK_UN,
    instead: libc::LOCK_NB,
};
const FCNTL_BLOCKS: Blocking = Blocking::LockIf {
    argument: 1,
    instead: &[
        (libc::F_SETLKW, libc::F_SETLK),
        (libc::F_OFD_SETLKW, libc::F_OFD_SETLK),
    ],
};

/// A wait for descriptors; a sleep if the argument `count` is 0.
const fn polls(count: usize, limit: Limit) -> Blocking {
    Blocking::Descriptors {
        count: Some(count),
        limit,
    }
}

const fn sleeps(time: usize, clock: Option<(usize, usize)>) -> Blocking {
    Blocking::Sleep { time, clock }
}

/// ppoll(2). Without a poll(2), the C library makes poll(3) of it.
const PPOLL: Blocking = match LEGACY.poll {
    Some(_) => polls(1, Pointer(2)),
    None => polls(1, PointerInPoll(2)),
};

const EPOLL: Blocking = Blocking::Descriptors {
    count: None,
    limit: Milliseconds(3),
};

/// All system calls that stop, in the order in which the filter compares numbers, so frequent ones
/// come first. All other calls pass.
#[rustfmt::skip]
pub static TABLE: &[SystemCall] = &[
    // A ring cannot be watched, so workers get the error of a kernel without io_uring.
    cases(Some(libc::SYS_io_uring_setup), "io_uring_setup", Cases::Nothing, &[])
        .stops(Stops::Refused(libc::ENOSYS)),
    call(Some(libc::SYS_read), "read", Read, Observe, &[Fd(0)]),
    call(Some(libc::SYS_write), "write", Write, Modify, &[Fd(0)])
        .answers()
        .sends(Buffer(1, 2)),
    call(Some(libc::SYS_pread64), "pread64", Read, Observe, &[Fd(0)]),
    call(Some(libc::SYS_pwrite64), "pwrite64", Write, Modify, &[Fd(0)]),
    call(Some(libc::SYS_readv), "readv", Read, Observe, &[Fd(0)]),
    call(Some(libc::SYS_writev), "writev", Write, Modify, &[Fd(0)])
        .answers()
        .sends(Vector(1, 2)),
    call(Some(libc::SYS_preadv), "preadv", Read, Observe, &[Fd(0)]),
    call(Some(libc::SYS_pwritev), "pwritev", Write, Modify, &[Fd(0)]),
    call(Some(libc::SYS_sendfile), "sendfile", Copy, Modify, &[Fd(0), Fd(1)]).sends(Elsewhere),
    cases(Some(libc::SYS_sendto), "sendto", Cases::Nothing, &[]).sends(Buffer(1, 2)),
    cases(Some(libc::SYS_sendmsg), "sendmsg", Cases::Nothing, &[]).sends(Message(1)),
    cases(Some(libc::SYS_sendmmsg), "sendmmsg", Cases::Nothing, &[]).sends(Message(1)),
    call(Some(libc::SYS_copy_file_range), "copy_file_range", Copy, Modify, &[Fd(0), Fd(2)]),
    cases(LEGACY.open, "open", OPEN, &[Path(0)]),
    cases(Some(libc::SYS_openat), "openat", OPENAT, &[PathAt(0, 1)]),
    cases(Some(libc::SYS_openat2), "openat2", OPENAT2, &[PathAt(0, 1)]),
    call(LEGACY.creat, "creat", Open, Modify, &[Path(0)]),
    call(Some(libc::SYS_close), "close", Close, Release, &[Fd(0)]),
    call(Some(libc::SYS_close_range), "close_range", Close, Release, &[Fds(0, 1)]),
    cases(LEGACY.dup2, "dup2", DUP, &[Fd(1)]),
    cases(Some(libc::SYS_dup3), "dup3", DUP, &[Fd(1)]),
    call(LEGACY.stat, "stat", Stat, Observe, &[Path(0)]),
    call(LEGACY.lstat, "lstat", Lstat, Observe, &[Path(0)]),
    call(Some(libc::SYS_fstat), "fstat", Fstat, Observe, &[Fd(0)]),
    call(Some(libc::SYS_newfstatat), "newfstatat", Stat, Observe, &[PathAt(0, 1)]),
    call(Some(libc::SYS_statx), "statx", Stat, Observe, &[PathAt(0, 1)]),
    call(LEGACY.access, "access", Access, Observe, &[Path(0)]),
    call(Some(libc::SYS_faccessat), "faccessat", Access, Observe, &[PathAt(0, 1)]),
    call(Some(libc::SYS_faccessat2), "faccessat2", Access, Observe, &[PathAt(0, 1)]),
    call(LEGACY.readlink, "readlink", Readlink, Observe, &[Path(0)]),
    call(Some(libc::SYS_readlinkat), "readlinkat", Readlink, Observe, &[PathAt(0, 1)]),
    call(Some(libc::SYS_getdents64), "getdents64", List, Observe, &[Fd(0)]),
    call(LEGACY.unlink, "unlink", Unlink, Claim, &[Path(0)]),
    cases(Some(libc::SYS_unlinkat), "unlinkat", UNLINKAT, &[PathAt(0, 1)]),
    call(LEGACY.rmdir, "rmdir", Rmdir, Claim, &[Path(0)]),
    call(LEGACY.mkdir, "mkdir", Mkdir, Modify, &[Path(0)]),
    call(Some(libc::SYS_mkdirat), "mkdirat", Mkdir, Modify, &[PathAt(0, 1)]),
    call(LEGACY.mknod, "mknod", Mknod, Modify, &[Path(0)]),
    call(Some(libc::SYS_mknodat), "mknodat", Mknod, Modify, &[PathAt(0, 1)]),
    call(LEGACY.rename, "rename", Rename, Claim, &[Path(0), Path(1)]),
    call(LEGACY.renameat, "renameat", Rename, Claim, &[PathAt(0, 1), PathAt(2, 3)]),
    cases(Some(libc::SYS_renameat2), "renameat2", RENAMEAT2, &[PathAt(0, 1), PathAt(2, 3)]),
    call(LEGACY.link, "link", Link, Claim, &[Path(0), Path(1)]),
    call(Some(libc::SYS_linkat), "linkat", Link, Claim, &[PathAt(0, 1), PathAt(2, 3)]),
    call(LEGACY.symlink, "symlink", Symlink, Modify, &[Path(1)]),
    call(Some(libc::SYS_symlinkat), "symlinkat", Symlink, Modify, &[PathAt(1, 2)]),
    call(Some(libc::SYS_truncate), "truncate", Truncate, Modify, &[Path(0)]),
    call(Some(libc::SYS_ftruncate), "ftruncate", Truncate, Modify, &[Fd(0)]),
    call(Some(libc::SYS_fallocate), "fallocate", Fallocate, Modify, &[Fd(0)]),
    call(LEGACY.chmod, "chmod", Chmod, Modify, &[Path(0)]),
    call(Some(libc::SYS_fchmod), "fchmod", Chmod, Modify, &[Fd(0)]),
    call(Some(libc::SYS_fchmodat), "fchmodat", Chmod, Modify, &[PathAt(0, 1)]),
    call(LEGACY.utime, "utime", Utime, Modify, &[Path(0)]),
    call(LEGACY.utimes, "utimes", Utime, Modify, &[Path(0)]),
    call(Some(libc::SYS_utimensat), "utimensat", Utime, Modify, &[PathAt(0, 1)]),
    call(LEGACY.futimesat, "futimesat", Utime, Modify, &[PathAt(0, 1)]),
    call(Some(libc::SYS_setxattr), "setxattr", Setxattr, Modify, &[Path(0)]),
    call(Some(libc::SYS_getxattr), "getxattr", Getxattr, Observe, &[Path(0)]),
    call(Some(libc::SYS_removexattr), "removexattr", Setxattr, Modify, &[Path(0)]),
    cases(Some(libc::SYS_flock), "flock", FLOCK, &[Fd(0)]).blocks(FLOCK_BLOCKS),
    cases(Some(libc::SYS_kill), "kill", KILL, &[Process]),
    waits(Some(libc::SYS_nanosleep), "nanosleep", sleeps(0, None)),
    waits(Some(libc::SYS_clock_nanosleep), "clock_nanosleep", sleeps(2, Some((0, 1)))),
    waits(LEGACY.select, "select", polls(0, Pointer(4))),
    waits(Some(libc::SYS_pselect6), "pselect6", polls(0, Pointer(4))),
    waits(LEGACY.poll, "poll", polls(1, Milliseconds(2))),
    waits(Some(libc::SYS_ppoll), "ppoll", PPOLL),
    waits(LEGACY.epoll_wait, "epoll_wait", EPOLL),
    waits(Some(libc::SYS_epoll_pwait), "epoll_pwait", EPOLL),
    waits(Some(libc::SYS_epoll_pwait2), "epoll_pwait2", Blocking::Never),
    cases(Some(libc::SYS_fcntl), "fcntl", FCNTL, &[Fd(0)])
        .stops(FCNTL_STOPS)
        .blocks(FCNTL_BLOCKS),
    waits(Some(libc::SYS_futex), "futex", Blocking::Futex).stops(FUTEX_STOPS),
];

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;

    #[test]
    fn each_call_has_one_row() {
        let rows = || TABLE.iter().filter(|row| row.number.is_some());
        let numbers: HashSet<_> = rows().map(|row| row.number).collect();
        let names: HashSet<&str> = TABLE.iter().map(|row| row.name).collect();
        assert_eq!((numbers.len(), names.len()), (rows().count(), TABLE.len()));
        for row in rows() {
            let found = SystemCall::find(row.number.unwrap().cast_unsigned()).unwrap();
            assert_eq!(found.name, row.name);
        }
        assert!(SystemCall::find(u64::MAX).is_none());
    }

    #[test]
    fn calls_on_files_and_sleeps_are_scheduling_points() {
        let points = |name: &str| {
            let row = TABLE.iter().find(|row| row.name == name).unwrap();
            row.is_scheduling_point()
        };
        assert!(points("openat") && points("flock") && points("nanosleep") && points("ppoll"));
        assert!(!points("futex") && !points("epoll_wait") && !points("io_uring_setup"));
    }

    #[test]
    fn a_row_is_about_files_if_it_does_anything_to_them() {
        for row in TABLE {
            let acts = !matches!(row.cases, Cases::Nothing);
            assert_eq!(acts, !row.files.is_empty(), "{}", row.name);
        }
    }
}
