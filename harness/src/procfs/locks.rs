//! File locks as the kernel prints them (proc_locks(5)): in `/proc/locks` and, for the descriptors
//! of one process, in `fdinfo`.

use nix::sys::stat::makedev;

use super::file_id::FileId;
use crate::model::{FileLock, LockKind, LockMode};

/// A held lock, or a waiter for one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LockLine {
    /// The lock.
    pub lock: FileLock,
    /// `true` for a waiter, `false` for a holder.
    pub waits: bool,
    /// The process; `None` for open-file-description locks, which belong to no process.
    pub pid: Option<i32>,
    /// The file. On some file systems (btrfs) the device is not the one that stat(2) gives.
    pub file: FileId,
}

/// Maximum number of readings of `/proc/locks`.
const READINGS: usize = 64;
/// Number of equal readings in a row that are believed.
const AGREE: usize = 5;

/// The lines of `/proc/locks` about files whose inode is `of_interest`.
///
/// The kernel prints the list a page at a time. Locks that come and go meanwhile make it omit or
/// repeat lines of others, so the list is read until several readings in a row agree.
pub fn read_locks(of_interest: impl Fn(u64) -> bool) -> Vec<LockLine> {
    let reading = || {
        let text = std::fs::read_to_string("/proc/locks").unwrap_or_default();
        let lines = text.lines().filter_map(LockLine::parse);
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

impl LockLine {
    /// A line such as `1: -> OFDLCK ADVISORY WRITE -1 08:01:1234 0 EOF`, the device in hexadecimal
    /// and the inode in decimal. `None` for other lines, such as those of leases.
    pub fn parse(line: &str) -> Option<Self> {
        let mut words = line.split_whitespace().skip(1).peekable(); // the number
        let waits = words.next_if_eq(&"->").is_some();
        let kind = match words.next()? {
            "OFDLCK" => LockKind::Ofd,
            "POSIX" => LockKind::Posix,
            "FLOCK" => LockKind::Flock,
            _ => return None,
        };
        let mode = match words.nth(1)? {
            "WRITE" => LockMode::Exclusive,
            "READ" => LockMode::Shared,
            _ => return None,
        };
        let pid = words.next()?.parse().ok().filter(|&pid| pid > 0);
        let mut file = words.next()?.split(':');
        let major = u64::from_str_radix(file.next()?, 16).ok()?;
        let minor = u64::from_str_radix(file.next()?, 16).ok()?;
        Some(LockLine {
            lock: FileLock { kind, mode },
            waits,
            pid,
            file: FileId {
                device: makedev(major, minor),
                inode: file.next()?.parse().ok()?,
            },
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_holders_and_waiters() {
        let file = FileId {
            device: makedev(0xfe, 1),
            inode: 1234,
        };
        let held = LockLine::parse("1: OFDLCK  ADVISORY  WRITE -1 fe:01:1234 0 EOF").unwrap();
        let lock = FileLock {
            kind: LockKind::Ofd,
            mode: LockMode::Exclusive,
        };
        assert_eq!(
            held,
            LockLine {
                lock,
                waits: false,
                pid: None,
                file
            }
        );
        let waiter =
            LockLine::parse("12: -> POSIX  ADVISORY  READ  4711 fe:01:1234 0 EOF").unwrap();
        assert_eq!(waiter.lock.to_string(), "POSIX shared");
        assert_eq!((waiter.waits, waiter.pid), (true, Some(4711)));
    }

    /// The other locks that come and go fill several pages of the kernel's list.
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
            let readings: Vec<usize> = (0..100)
                .map(|_| read_locks(|it| it == inode).len())
                .collect();
            over.store(true, Ordering::Relaxed);
            // The list is never exact; a single reading of it is wrong far more often.
            let wrong = readings.iter().filter(|lines| **lines != 1).count();
            assert!(wrong * 10 <= readings.len(), "{readings:?}");
        });
    }

    #[test]
    fn other_lines_are_no_locks() {
        for line in [
            "",
            "pos:\t0",
            "1: LEASE  ACTIVE    WRITE 4711 fe:01:1234 0 EOF",
            "1: POSIX  ADVISORY  WRITE 4711 nonsense 0 EOF",
        ] {
            assert_eq!(LockLine::parse(line), None, "{line}");
        }
    }
}
