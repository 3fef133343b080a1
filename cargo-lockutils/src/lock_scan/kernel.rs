//! A lock as the kernel prints it, in /proc/locks (proc_locks(5)) and in /proc/PID/fdinfo (proc_pid_fdinfo(5)).

use std::fmt;

use nix::sys::stat::makedev;
use serde::Serialize;

use super::files::Identity;

/// By which system call a lock was taken. OFD and POSIX locks exclude each other, flock(2) is apart.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Kind {
    Ofd,
    Posix,
    Flock,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Mode {
    Exclusive,
    Shared,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub struct Lock {
    pub kind: Kind,
    pub mode: Mode,
}

impl fmt::Display for Lock {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let kind = match self.kind {
            Kind::Ofd => "OFD",
            Kind::Posix => "POSIX",
            Kind::Flock => "flock",
        };
        let mode = match self.mode {
            Mode::Exclusive => "exclusive",
            Mode::Shared => "shared",
        };
        write!(f, "{kind} {mode}")
    }
}

/// One line.
#[derive(Debug, PartialEq, Eq)]
pub struct Line {
    pub lock: Lock,
    /// Whoever asked for it waits for it.
    pub waits: bool,
    /// `None` for open-file-description locks, which belong to no process.
    pub pid: Option<i32>,
    /// The device is the file system's, which on some (btrfs) is not the one that stat(2) gives.
    pub file: Identity,
}

/// How often /proc/locks is read at most, until so many readings in a row agree.
const READINGS: usize = 64;
const AGREE: usize = 5;

/// The lines of /proc/locks about files with an inode that is `of_interest`.
///
/// The kernel prints the list a page at a time. What other processes lock and unlock meanwhile makes it leave out lines
/// or print them twice. So it is read until [`AGREE`] readings agree.
pub fn read(of_interest: impl Fn(u64) -> bool) -> Vec<Line> {
    let reading = || {
        let text = std::fs::read_to_string("/proc/locks").unwrap_or_default();
        let lines = text.lines().filter_map(parse);
        lines
            .filter(|line| of_interest(line.file.inode))
            .collect::<Vec<_>>()
    };
    let (mut last, mut agree) = (reading(), 1);
    for _ in 1..READINGS {
        if agree == AGREE {
            break;
        }
        let lines = reading();
        agree = if lines == last { agree + 1 } else { 1 };
        last = lines;
    }
    last
}

/// `1: -> OFDLCK ADVISORY WRITE -1 08:01:1234 0 EOF`, the device in hexadecimal and the inode in decimal; leases are no locks.
pub fn parse(line: &str) -> Option<Line> {
    let mut words = line.split_whitespace().skip(1).peekable(); // the number
    let waits = words.next_if_eq(&"->").is_some();
    let kind = match words.next()? {
        "OFDLCK" => Kind::Ofd,
        "POSIX" => Kind::Posix,
        "FLOCK" => Kind::Flock,
        _ => return None,
    };
    let mode = match words.nth(1)? {
        "WRITE" => Mode::Exclusive,
        "READ" => Mode::Shared,
        _ => return None,
    };
    let pid = words.next()?.parse().ok().filter(|&pid| pid > 0);
    let mut file = words.next()?.split(':');
    let major = u64::from_str_radix(file.next()?, 16).ok()?;
    let minor = u64::from_str_radix(file.next()?, 16).ok()?;
    Some(Line {
        lock: Lock { kind, mode },
        waits,
        pid,
        file: Identity {
            device: makedev(major, minor),
            inode: file.next()?.parse().ok()?,
        },
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_holders_and_waiters() {
        let file = Identity {
            device: makedev(0xfe, 1),
            inode: 1234,
        };
        let held = parse("1: OFDLCK  ADVISORY  WRITE -1 fe:01:1234 0 EOF").unwrap();
        let lock = Lock {
            kind: Kind::Ofd,
            mode: Mode::Exclusive,
        };
        assert_eq!(
            held,
            Line {
                lock,
                waits: false,
                pid: None,
                file
            }
        );
        let waiter = parse("12: -> POSIX  ADVISORY  READ  4711 fe:01:1234 0 EOF").unwrap();
        assert_eq!(waiter.lock.to_string(), "POSIX shared");
        assert_eq!((waiter.waits, waiter.pid), (true, Some(4711)));
    }

    /// Other files are locked and unlocked all the time, by enough locks to fill several pages of the kernel's list.
    #[test]
    fn a_lock_is_read_once_although_others_come_and_go() {
        use std::os::unix::fs::MetadataExt;
        use std::sync::atomic::{AtomicBool, Ordering};

        let directory = tempfile::tempdir().unwrap();
        let lock = |name: &str| {
            let file = std::fs::File::create(directory.path().join(name)).unwrap();
            file.lock().unwrap();
            file
        };
        let held = lock("held");
        let inode = held.metadata().unwrap().ino();
        let over = AtomicBool::new(false);
        let churn = |thread: usize| {
            let names = (0..150).map(|number| format!("{thread}-{number}"));
            let files: Vec<_> = names.map(|name| lock(&name)).collect();
            while !over.load(Ordering::Relaxed) {
                files.iter().for_each(|file| file.unlock().unwrap());
                files.iter().for_each(|file| file.lock().unwrap());
            }
        };
        std::thread::scope(|scope| {
            for thread in 0..2 {
                let churn = &churn;
                scope.spawn(move || churn(thread));
            }
            let readings: Vec<usize> = (0..100).map(|_| read(|it| it == inode).len()).collect();
            over.store(true, Ordering::Relaxed);
            // Nothing makes the kernel's list exact; a single reading of it is wrong far more often.
            let wrong = readings.iter().filter(|lines| **lines != 1).count();
            assert!(wrong * 10 <= readings.len(), "{readings:?}");
        });
    }

    #[test]
    fn passes_over_what_is_no_lock() {
        for line in [
            "",
            "pos:\t0",
            "1: LEASE  ACTIVE    WRITE 4711 fe:01:1234 0 EOF",
            "1: POSIX  ADVISORY  WRITE 4711 nonsense 0 EOF",
        ] {
            assert_eq!(parse(line), None, "{line}");
        }
    }
}
