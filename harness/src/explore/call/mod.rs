//! Which system calls matter to a lock that lives in a directory, and what they are about (x86-64; numbers from syscalls(2)).

mod effect;
mod ground;
mod identity;
mod memory;

pub use effect::Effect;
pub use ground::Ground;
pub use identity::Identity;
pub use memory::is_first as is_first_thread;

use std::path::Path;
use std::time::Duration;

use nix::libc;
use nix::sys::time::{TimeSpec, TimeValLike};
use nix::time::ClockId;
use nix::unistd::Pid;

/// What a call does to a lock, as far as scheduling goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Kind {
    /// Removes or moves a name, or takes a kernel lock: before these, a delay finds most races (the zoo of the trial runs).
    TakesOrRemoves,
    /// Makes a name, or changes a file.
    Makes,
    /// Gives a lock back, or may do so.
    Releases,
    /// Looks only.
    Looks,
    /// Waits for time to pass.
    Sleeps,
}

/// A call that a task is about to make.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Call {
    pub kind: Kind,
    pub name: &'static str,
    /// What it is about, relative to the lock's directory.
    pub targets: Vec<String>,
    /// A lock call that would wait: which argument to change so that it does not, and to what.
    pub blocking: Option<(usize, u64)>,
    /// The descriptor that it is about.
    pub fd: Option<i32>,
    /// The files of the descriptors that it is about.
    pub described: Identity,
    /// What all that it is about means: of names, when this was looked up last.
    pub identity: Identity,
    pub nr: u64,
}

impl Call {
    /// What it is about, for people.
    pub fn target(&self) -> String {
        self.targets.join(" -> ")
    }

    /// What happens to the lock but is no call of a worker.
    pub fn from_outside(name: &'static str, target: &str) -> Self {
        Call {
            kind: Kind::TakesOrRemoves,
            name,
            targets: vec![target.to_owned()],
            blocking: None,
            fd: None,
            described: Identity::default(),
            identity: Identity::default(),
            nr: 0,
        }
    }

    /// The same call, with what its names mean now.
    pub fn identified(mut self, directory: &Path) -> Self {
        self.identity = Identity::of_names(directory, &self.targets);
        self.identity.files.extend(&self.described.files);
        self
    }
}

/// Where an argument of a call stands.
#[derive(Clone, Copy)]
enum At {
    /// Path in this argument, relative to the working directory.
    Path(usize),
    /// Directory descriptor, path.
    Dir(usize, usize),
    Fd(usize),
    /// Descriptors between these.
    Fds(usize, usize),
}

/// How a task waits for time to pass.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Wait {
    /// For nothing else: the call may be left out, and gives this.
    Sleep { result: i64 },
    /// Or for something to be heard; the time limit in milliseconds is in this argument.
    Poll { argument: usize },
    /// Or for another thread of its process, as long as this is at that address.
    Futex { address: u64, value: u32 },
}

/// How long a wait may take; it is over before if what it waits for happens.
pub fn limit(tid: Pid, args: [u64; 6], wait: Wait) -> Duration {
    match wait {
        Wait::Sleep { .. } => Duration::ZERO,
        Wait::Poll { argument } => Duration::from_millis(u64::from(args[argument] as u32)),
        Wait::Futex { .. } => {
            let operation = args[1] as i32;
            let is_realtime = operation & libc::FUTEX_CLOCK_REALTIME != 0;
            let command = operation & !(libc::FUTEX_PRIVATE_FLAG | libc::FUTEX_CLOCK_REALTIME);
            let until = match is_realtime {
                true => ClockId::CLOCK_REALTIME,
                false => ClockId::CLOCK_MONOTONIC,
            };
            let until = (command != libc::FUTEX_WAIT).then_some(until);
            let left = time_left(tid, args[3], until).map(|left| left.num_milliseconds());
            Duration::from_millis(left.and_then(|left| left.try_into().ok()).unwrap_or(0))
        }
    }
}

/// The time at this address, or what is left until then on a clock.
fn time_left(tid: Pid, address: u64, until: Option<ClockId>) -> Option<TimeSpec> {
    let time = memory::time(tid, address)?;
    match until {
        None => Some(time),
        Some(clock) => Some(time - clock.now().ok()?),
    }
}

impl Wait {
    /// Whether a thread that is about to wait for another one has nothing to wait for any more.
    pub fn is_over(self, tid: Pid) -> bool {
        matches!(self, Wait::Futex { address, value }
            if memory::word(tid, address).is_some_and(|now| now != value))
    }
}

/// Whether the call waits for time to pass.
pub fn waits(tid: Pid, nr: u64, args: [u64; 6]) -> Option<Wait> {
    let sleep = Some(Wait::Sleep { result: 0 });
    let limited = |argument: usize| args[argument] as i32 > 0;
    let private = args[1] as i32 & libc::FUTEX_PRIVATE_FLAG != 0;
    match nr as libc::c_long {
        libc::SYS_nanosleep | libc::SYS_clock_nanosleep => sleep,
        libc::SYS_select | libc::SYS_pselect6 if args[0] == 0 && args[4] != 0 => sleep,
        libc::SYS_ppoll if args[1] == 0 && args[2] != 0 => sleep,
        libc::SYS_poll if args[1] == 0 && args[2] as i32 >= 0 => sleep,
        libc::SYS_poll if limited(2) => Some(Wait::Poll { argument: 2 }),
        libc::SYS_epoll_wait | libc::SYS_epoll_pwait if limited(3) => {
            Some(Wait::Poll { argument: 3 })
        }
        // Nobody else could wake it.
        libc::SYS_futex if private && memory::is_alone(tid) => Some(Wait::Sleep {
            result: -i64::from(libc::ETIMEDOUT),
        }),
        libc::SYS_futex if private => Some(Wait::Futex {
            address: args[0],
            value: args[2] as u32,
        }),
        _ => None,
    }
}

/// The longest sleep of a runtime's own thread: that which watches over Go's goroutines sleeps between 20 us and 10 ms (`sysmon` in
/// Go's `runtime/proc.go`).
const MOMENT: TimeSpec = TimeSpec::new(0, 10_000_000);

/// Whether the call is the short sleep of a thread that some other thread has started.
pub fn is_moment_of_a_helper(tid: Pid, nr: u64, args: [u64; 6]) -> bool {
    let time = match nr as libc::c_long {
        libc::SYS_nanosleep => time_left(tid, args[0], None),
        libc::SYS_clock_nanosleep => {
            let is_absolute = args[1] as i32 & libc::TIMER_ABSTIME != 0;
            let until = is_absolute.then(|| ClockId::from_raw(args[0] as i32));
            time_left(tid, args[2], until)
        }
        _ => None,
    };
    time.is_some_and(|time| time <= MOMENT) && !memory::is_first(tid)
}

/// Reads the call, if it matters to a lock on this ground.
pub fn classify(tid: Pid, nr: u64, args: [u64; 6], ground: &mut Ground) -> Option<Call> {
    let number = nr as libc::c_long;
    let (name, kind, places) = entry(tid, number, args)?;
    let locks = matches!(number, libc::SYS_flock | libc::SYS_fcntl);
    let mut targets = Vec::new();
    let mut fd = None;
    let mut described = Identity::default();
    for place in places {
        let (path, one) = match *place {
            At::Path(arg) => (memory::path(tid, libc::AT_FDCWD, args[arg]), None),
            At::Dir(dir, arg) => (memory::path(tid, args[dir] as i32, args[arg]), None),
            At::Fd(arg) => {
                let fd = args[arg] as i32;
                (memory::of_descriptor(tid, fd), Some(fd))
            }
            At::Fds(from, to) => {
                for fd in memory::descriptors(tid, args[from], args[to]) {
                    described.add_descriptor(tid, fd);
                    targets
                        .extend(memory::of_descriptor(tid, fd).and_then(|path| ground.file(&path)));
                }
                continue;
            }
        };
        fd = fd.or(one);
        if let Some(one) = one {
            described.add_descriptor(tid, one);
        }
        let Some(path) = path else { continue };
        match ground.file(&path) {
            Some(file) => targets.push(file),
            // Whatever is locked may be the lock, wherever it lies.
            None if locks => targets.push(path.to_string_lossy().into_owned()),
            None => {}
        }
    }
    if number == libc::SYS_kill && args[1] == 0 {
        targets.push("whether a process lives".to_owned());
    }
    if targets.is_empty() {
        return None;
    }
    let blocking = match (number, args[1] as i32) {
        (libc::SYS_flock, how) if how & (libc::LOCK_NB | libc::LOCK_UN) == 0 => {
            Some((1, args[1] | libc::LOCK_NB as u64))
        }
        (libc::SYS_fcntl, libc::F_SETLKW) => Some((1, libc::F_SETLK as u64)),
        (libc::SYS_fcntl, libc::F_OFD_SETLKW) => Some((1, libc::F_OFD_SETLK as u64)),
        _ => None,
    };
    Some(Call {
        kind,
        name,
        targets,
        blocking,
        fd,
        described,
        identity: Identity::default(),
        nr,
    })
}

/// The name of a call, what it does to a lock, and which arguments say to what.
fn entry(
    tid: Pid,
    number: libc::c_long,
    args: [u64; 6],
) -> Option<(&'static str, Kind, &'static [At])> {
    use At::{Dir, Fd, Fds, Path as P};
    use Kind::{Looks, Makes, Releases, TakesOrRemoves};
    let opens = |flags: u64| match flags as i32 & (libc::O_CREAT | libc::O_TRUNC) {
        0 => Looks,
        _ => Makes,
    };
    Some(match number {
        libc::SYS_open => ("open", opens(args[1]), &[P(0)]),
        libc::SYS_openat => ("open", opens(args[2]), &[Dir(0, 1)]),
        libc::SYS_openat2 => {
            let flags = memory::long(tid, args[2]).unwrap_or(0);
            ("open", opens(flags), &[Dir(0, 1)])
        }
        libc::SYS_creat => ("open", Makes, &[P(0)]),
        libc::SYS_unlink => ("unlink", TakesOrRemoves, &[P(0)]),
        libc::SYS_unlinkat if args[2] as i32 & libc::AT_REMOVEDIR != 0 => {
            ("rmdir", TakesOrRemoves, &[Dir(0, 1)])
        }
        libc::SYS_unlinkat => ("unlink", TakesOrRemoves, &[Dir(0, 1)]),
        libc::SYS_rmdir => ("rmdir", TakesOrRemoves, &[P(0)]),
        libc::SYS_mkdir => ("mkdir", Makes, &[P(0)]),
        libc::SYS_mkdirat => ("mkdir", Makes, &[Dir(0, 1)]),
        libc::SYS_mknod => ("mknod", Makes, &[P(0)]),
        libc::SYS_mknodat => ("mknod", Makes, &[Dir(0, 1)]),
        libc::SYS_rename => ("rename", TakesOrRemoves, &[P(0), P(1)]),
        libc::SYS_renameat2 if args[4] & u64::from(libc::RENAME_EXCHANGE) != 0 => {
            ("exchange", TakesOrRemoves, &[Dir(0, 1), Dir(2, 3)])
        }
        libc::SYS_renameat | libc::SYS_renameat2 => {
            ("rename", TakesOrRemoves, &[Dir(0, 1), Dir(2, 3)])
        }
        libc::SYS_link => ("link", TakesOrRemoves, &[P(0), P(1)]),
        libc::SYS_linkat => ("link", TakesOrRemoves, &[Dir(0, 1), Dir(2, 3)]),
        libc::SYS_symlink => ("symlink", Makes, &[P(1)]),
        libc::SYS_symlinkat => ("symlink", Makes, &[Dir(1, 2)]),
        libc::SYS_truncate => ("truncate", Makes, &[P(0)]),
        libc::SYS_ftruncate => ("truncate", Makes, &[Fd(0)]),
        libc::SYS_fallocate => ("fallocate", Makes, &[Fd(0)]),
        libc::SYS_chmod => ("chmod", Makes, &[P(0)]),
        libc::SYS_fchmod => ("chmod", Makes, &[Fd(0)]),
        libc::SYS_fchmodat => ("chmod", Makes, &[Dir(0, 1)]),
        libc::SYS_stat => ("stat", Looks, &[P(0)]),
        libc::SYS_lstat => ("lstat", Looks, &[P(0)]),
        libc::SYS_newfstatat | libc::SYS_statx => ("stat", Looks, &[Dir(0, 1)]),
        libc::SYS_access => ("access", Looks, &[P(0)]),
        libc::SYS_faccessat | libc::SYS_faccessat2 => ("access", Looks, &[Dir(0, 1)]),
        libc::SYS_readlink => ("readlink", Looks, &[P(0)]),
        libc::SYS_readlinkat => ("readlink", Looks, &[Dir(0, 1)]),
        libc::SYS_getxattr => ("getxattr", Looks, &[P(0)]),
        libc::SYS_setxattr | libc::SYS_removexattr => ("setxattr", Makes, &[P(0)]),
        libc::SYS_fstat => ("fstat", Looks, &[Fd(0)]),
        libc::SYS_utime | libc::SYS_utimes => ("utime", Makes, &[P(0)]),
        libc::SYS_utimensat | libc::SYS_futimesat => ("utime", Makes, &[Dir(0, 1)]),
        libc::SYS_read | libc::SYS_pread64 | libc::SYS_readv | libc::SYS_preadv => {
            ("read", Looks, &[Fd(0)])
        }
        libc::SYS_write | libc::SYS_pwrite64 | libc::SYS_writev | libc::SYS_pwritev => {
            ("write", Makes, &[Fd(0)])
        }
        libc::SYS_sendfile => ("copy", Makes, &[Fd(0), Fd(1)]),
        libc::SYS_copy_file_range => ("copy", Makes, &[Fd(0), Fd(2)]),
        libc::SYS_getdents64 => ("list", Looks, &[Fd(0)]),
        libc::SYS_close => ("close", Releases, &[Fd(0)]),
        libc::SYS_dup2 | libc::SYS_dup3 if args[0] != args[1] => ("close", Releases, &[Fd(1)]),
        libc::SYS_close_range => ("close", Releases, &[Fds(0, 1)]),
        libc::SYS_kill => ("kill", Looks, &[]),
        libc::SYS_flock => match args[1] as i32 & libc::LOCK_UN {
            0 => ("flock", TakesOrRemoves, &[Fd(0)]),
            _ => ("funlock", Releases, &[Fd(0)]),
        },
        libc::SYS_fcntl => match args[1] as i32 {
            libc::F_SETLK | libc::F_SETLKW | libc::F_OFD_SETLK | libc::F_OFD_SETLKW => {
                match memory::short(tid, args[2]).map(|word| i32::from(word.cast_signed())) {
                    Some(libc::F_UNLCK) => ("unlock", Releases, &[Fd(0)]),
                    _ => ("lock", TakesOrRemoves, &[Fd(0)]),
                }
            }
            libc::F_SETLEASE => ("lease", TakesOrRemoves, &[Fd(0)]),
            _ => return None,
        },
        _ => return None,
    })
}

/// A sleep, as a step.
pub fn sleep(nr: u64) -> Call {
    Call {
        kind: Kind::Sleeps,
        name: "sleep",
        targets: Vec::new(),
        blocking: None,
        fd: None,
        described: Identity::default(),
        identity: Identity::default(),
        nr,
    }
}
