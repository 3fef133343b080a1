//! Who holds a lock file: which processes, by /proc/PID/fdinfo (proc_pid_fdinfo(5)).
//!
//! /proc/locks would not do: it names no process for open-file-description locks. Processes of other users are not seen, unless we
//! are root. When a lock was taken is recorded nowhere; what is known is how long its process has been running.

use std::fmt;
use std::fs;
use std::io;
use std::os::unix::fs::MetadataExt;
use std::path::Path;
use std::time::Duration;

use nix::unistd::{SysconfVar, sysconf};

/// A process that holds a lock on a file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Holder {
    pub(crate) pid: i32,
    /// Its command line, or its name in brackets if it has none.
    pub(crate) command: String,
    pub(crate) kind: Kind,
    pub(crate) runs_since: Option<Duration>,
}

/// Which of the kernel's locks it is. Open-file-description and POSIX locks conflict with each other, and neither with flock(2).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    OpenFileDescription,
    Posix,
    Flock,
}

impl fmt::Display for Holder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "process {}: {}", self.pid, self.command)?;
        match self.runs_since {
            None => Ok(()),
            Some(since) => write!(f, " (running for {} s)", since.as_secs()),
        }
    }
}

/// The processes that hold a lock on the file at `path`, each once.
pub(crate) fn of(path: &Path) -> io::Result<Vec<Holder>> {
    let file = fs::metadata(path)?;
    let pids = fs::read_dir("/proc")?
        .flatten()
        .filter_map(|entry| entry.file_name().to_str()?.parse().ok());
    Ok(pids.filter_map(|pid| holder(pid, &file)).collect())
}

fn holder(pid: i32, file: &fs::Metadata) -> Option<Holder> {
    let descriptors = fs::read_dir(format!("/proc/{pid}/fdinfo")).ok()?;
    let kind = descriptors.flatten().find_map(|descriptor| {
        let info = fs::read_to_string(descriptor.path()).ok()?;
        let kind = info.lines().find_map(|line| lock_on(line, file.ino()))?;
        // The device in fdinfo is not always that of stat(2) (btrfs): the descriptor itself decides.
        let name = descriptor.file_name();
        let open = fs::metadata(
            Path::new("/proc")
                .join(pid.to_string())
                .join("fd")
                .join(name),
        );
        let open = open.ok()?;
        ((open.dev(), open.ino()) == (file.dev(), file.ino())).then_some(kind)
    })?;
    Some(Holder {
        pid,
        command: command(pid),
        kind,
        runs_since: runs_since(pid),
    })
}

/// `lock:  1: OFDLCK  ADVISORY  WRITE -1 08:01:1234 0 EOF`: the inode in decimal.
fn lock_on(line: &str, inode: u64) -> Option<Kind> {
    let words: Vec<&str> = line.strip_prefix("lock:")?.split_whitespace().collect();
    let file = words.iter().find(|word| word.matches(':').count() == 2)?;
    if file.rsplit(':').next()?.parse() != Ok(inode) {
        return None;
    }
    match *words.get(1)? {
        "OFDLCK" => Some(Kind::OpenFileDescription),
        "POSIX" => Some(Kind::Posix),
        "FLOCK" => Some(Kind::Flock),
        _ => None,
    }
}

fn command(pid: i32) -> String {
    let line = fs::read(format!("/proc/{pid}/cmdline")).unwrap_or_default();
    let words: Vec<_> = line
        .split(|byte| *byte == 0)
        .filter(|word| !word.is_empty())
        .map(String::from_utf8_lossy)
        .collect();
    if words.is_empty() {
        let name = fs::read_to_string(format!("/proc/{pid}/comm")).unwrap_or_default();
        format!("[{}]", name.trim_end())
    } else {
        words.join(" ")
    }
}

/// The 22nd field of /proc/PID/stat: when it started, in ticks since boot (proc_pid_stat(5)). The second may have
/// spaces and parentheses in it.
fn started(stat: &str) -> Option<f64> {
    let (_, after_name) = stat.rsplit_once(") ")?;
    after_name.split(' ').nth(19)?.parse().ok()
}

fn runs_since(pid: i32) -> Option<Duration> {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    let started = started(&stat)?;
    let ticks = sysconf(SysconfVar::CLK_TCK).ok()??;
    let uptime = fs::read_to_string("/proc/uptime").ok()?;
    let uptime: f64 = uptime.split(' ').next()?.parse().ok()?;
    Duration::try_from_secs_f64((uptime - started / ticks as f64).max(0.0)).ok()
}

/// What must be true of any text: for random tests, and for the programs in `fuzz/`.
#[cfg(any(test, fuzzing))]
pub mod properties {
    use super::*;

    /// Any text is read, or is none of the lines that are looked for.
    pub fn proc_files(text: &str) {
        started(text);
        let fields = "0 ".repeat(19);
        let of_a_process = format!("1 ({text}) {fields}4711 0");
        assert_eq!(started(&of_a_process), Some(4711.0), "{of_a_process:?}");
        for line in text.lines() {
            lock_on(line, 1234);
            crate::sys::filesystem::type_if_on(line, "98:0");
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::files::{LockFile, Mode};

    #[test]
    fn reads_a_lock_of_fdinfo() {
        let line = "lock:\t1: OFDLCK  ADVISORY  WRITE -1 fe:01:1234 0 EOF";
        assert_eq!(lock_on(line, 1234), Some(Kind::OpenFileDescription));
        assert_eq!(lock_on(line, 234), None);
        assert_eq!(lock_on("pos:\t0", 0), None);
    }

    #[test]
    fn a_process_may_have_any_name_and_its_line_may_be_cut() {
        let rest = "S 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17 18 4711 0";
        assert_eq!(started(&format!("7 (a) b) {rest}")), Some(4711.0));
        for stat in ["", "7 (a)", "7 (a) ", "7 (a)é", "7 (a) S 1"] {
            assert_eq!(started(stat), None, "{stat}");
        }
    }

    #[test]
    fn finds_this_process_while_it_holds_the_file() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("held");
        let file = LockFile::open_now(&path);
        assert_eq!(of(&path).unwrap(), []);
        assert!(file.try_lock(Mode::Exclusive, &path).unwrap());
        let holders = of(&path).unwrap();
        let [us] = &*holders else {
            panic!("{holders:?}")
        };
        assert_eq!(us.pid, std::process::id().cast_signed());
        assert_eq!(us.kind, Kind::OpenFileDescription);
        let program = std::env::args().next().unwrap();
        assert!(us.command.starts_with(&program), "{us}");
        assert!(us.runs_since.unwrap() < Duration::from_secs(24 * 60 * 60));
        file.unlock();
        assert_eq!(of(&path).unwrap(), []);
    }
}
