//! What a process does with lock files, as /proc tells it.

use std::fs::{self, Metadata};
use std::time::Duration;

use lockutils_harness::procfs;
use nix::libc;
use nix::unistd::Pid;

use super::files::{Files, Identity};
use super::kernel::{self, Kind, Lock, Mode};

/// A process, as far as it can be seen.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Process {
    pub pid: i32,
    pub command: String,
    /// For how long it has been running. The kernel does not record when a lock was taken.
    pub age: Option<Duration>,
}

impl Process {
    pub fn of(pid: i32) -> Self {
        Process {
            pid,
            command: procfs::command_line(Pid::from_raw(pid)),
            age: age(pid),
        }
    }
}

/// A descriptor of a file that we look for.
#[derive(Debug)]
pub struct Descriptor {
    pub file: Identity,
    /// As the kernel numbers the file's device.
    pub kernel_device: Option<u64>,
    pub held: Vec<Lock>,
    /// A thread sleeps in fcntl(2) until it gets a lock through this descriptor.
    pub waits: Option<Lock>,
}

/// The descriptors of `pid` that lead to `files`; `None` if its descriptors may not be seen.
pub fn descriptors(pid: Pid, files: &Files) -> Option<Vec<Descriptor>> {
    let entries = match fs::read_dir(format!("/proc/{pid}/fdinfo")) {
        Ok(entries) => entries,
        Err(error) if error.kind() == std::io::ErrorKind::PermissionDenied => return None,
        Err(_) => return Some(Vec::new()), // it has ended
    };
    let mut found = Vec::new();
    for entry in entries.flatten() {
        let fd = entry.file_name();
        let Some(fd) = fd.to_str().and_then(|fd| fd.parse::<i32>().ok()) else {
            continue;
        };
        let Ok(info) = fs::read_to_string(entry.path()) else {
            continue;
        };
        if !may_be_one(&info, files) {
            continue;
        }
        let metadata: Metadata = match fs::metadata(format!("/proc/{pid}/fd/{fd}")) {
            Ok(metadata) => metadata,
            Err(_) => continue,
        };
        let file = Identity::of(&metadata);
        if !files.contains(file) {
            continue;
        }
        let lines: Vec<kernel::Line> = info
            .lines()
            .filter_map(|line| kernel::parse(line.strip_prefix("lock:")?))
            .collect();
        found.push(Descriptor {
            file,
            kernel_device: lines.first().map(|line| line.file.device),
            held: lines.iter().map(|line| line.lock).collect(),
            waits: waits_through(pid, fd),
        });
    }
    Some(found)
}

/// Linux 5.14 and later print the inode, which spares a look at files that may hang (on a dead server).
fn may_be_one(info: &str, files: &Files) -> bool {
    info.lines()
        .find_map(|line| line.strip_prefix("ino:")?.trim().parse().ok())
        .is_none_or(|inode| files.has_inode(inode))
}

/// /proc/PID/task/TID/syscall of a sleeper is `NUMBER ARGUMENTS…`, the arguments in hexadecimal (proc_pid_syscall(5)).
///
/// Whether the lock is shared stands in the waiter's memory, which we do not read; /proc/locks tells.
fn waits_through(pid: Pid, fd: i32) -> Option<Lock> {
    let tasks = fs::read_dir(format!("/proc/{pid}/task")).ok()?;
    tasks
        .flatten()
        .filter_map(|task| fs::read_to_string(task.path().join("syscall")).ok())
        .find_map(|call| waits_on(&call, fd))
}

fn waits_on(call: &str, fd: i32) -> Option<Lock> {
    let mut words = call.split_whitespace();
    let number: i64 = words.next()?.parse().ok()?;
    let mut argument = || u64::from_str_radix(words.next()?.strip_prefix("0x")?, 16).ok();
    let (first, second) = (argument()?, argument()?);
    let kind = match (number, second as i32) {
        (libc::SYS_fcntl, libc::F_OFD_SETLKW) => Kind::Ofd,
        (libc::SYS_fcntl, libc::F_SETLKW) => Kind::Posix,
        (libc::SYS_flock, _) => Kind::Flock,
        _ => return None,
    };
    let mode = match (kind, second as i32 & libc::LOCK_SH) {
        (Kind::Flock, libc::LOCK_SH) => Mode::Shared,
        _ => Mode::Exclusive,
    };
    (first as i32 == fd).then_some(Lock { kind, mode })
}

/// The 22nd field of /proc/PID/stat is the start after boot, in hundredths of a second on every Linux that Rust runs on (USER_HZ).
fn age(pid: i32) -> Option<Duration> {
    let start = started(&fs::read_to_string(format!("/proc/{pid}/stat")).ok()?)?;
    let uptime = fs::read_to_string("/proc/uptime").ok()?;
    let uptime: f64 = uptime.split(' ').next()?.parse().ok()?;
    Duration::try_from_secs_f64((uptime - start / 100.0).max(0.0)).ok()
}

fn started(stat: &str) -> Option<f64> {
    let (_, fields) = stat.rsplit_once(") ")?; // the command before it may have blanks
    fields.split(' ').nth(19)?.parse().ok()
}

/// What must be true of any text: for a random test, and for the program in `fuzz/`.
#[cfg(any(test, fuzzing))]
pub mod properties {
    use super::*;

    /// It is read, or is none of what is looked for; a lock is read from its line whatever comes after that.
    pub fn proc_files(text: &str) {
        let files = Files::default();
        may_be_one(text, &files);
        waits_on(text, 3);
        started(text);
        let fields = "0 ".repeat(19);
        assert_eq!(started(&format!("1 ({text}) {fields}4711 0")), Some(4711.0));
        for line in text.lines() {
            let Some(read) = kernel::parse(line) else {
                continue;
            };
            assert!(read.pid.is_none_or(|pid| pid > 0), "{line:?}");
            assert_eq!(kernel::parse(&format!("{line} 0 EOF")), Some(read));
        }
        if !text.contains(char::is_whitespace) {
            let line = format!("1: OFDLCK ADVISORY WRITE -1 fe:01:1234 {text} EOF");
            assert!(kernel::parse(&line).is_some(), "{line:?}");
        }
        super::super::files::lock_of_turnstile(std::path::Path::new(text));
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn our_own_age_is_that_of_this_test() {
        let age = age(std::process::id().cast_signed()).unwrap();
        assert!(age < Duration::from_secs(24 * 3600), "{age:?}");
    }

    const PIECES: &[&str] = &[
        "lock:",
        "ino:",
        "1: ",
        "-> ",
        "OFDLCK ",
        "POSIX ",
        "FLOCK ",
        "ADVISORY ",
        "WRITE ",
        "READ ",
        "-1 ",
        "4711 ",
        "08:01:1234",
        "ffffffffffffffff",
        ":",
        " 0 EOF",
        "72 ",
        "73 ",
        "0x3 ",
        "0x26 ",
        "0x",
        "(",
        ") ",
        " ",
        "\n",
        "é",
        ".",
        ".turnstile",
    ];

    proptest! {
        #[test]
        fn any_text_is_read_as_files_of_proc(pieces in proptest::collection::vec(
            prop_oneof![4 => proptest::sample::select(PIECES).prop_map(str::to_owned), 1 => any::<String>()],
            0..24,
        )) {
            properties::proc_files(&pieces.concat());
        }
    }
}
