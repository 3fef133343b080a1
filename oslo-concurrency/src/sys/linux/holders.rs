//! The processes that hold a lock file, from /proc/PID/fdinfo (proc_pid_fdinfo(5)).
//!
//! /proc/locks names no process for open-file-description locks. Without root, processes of other
//! users do not appear.

use std::fs;
use std::io;
use std::os::unix::fs::MetadataExt;
use std::path::Path;
use std::time::Duration;

use nix::unistd::{SysconfVar, sysconf};

use crate::sys::types::Holder;

/// The kind of a lock of the kernel. Open-file-description and POSIX locks conflict with each
/// other, and neither with flock(2).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    OpenFileDescription,
    Posix,
    Flock,
}

/// Said where no process is found.
pub(crate) const NO_HOLDER_FOUND: &str = "nobody any more, or a process of another user";

pub(crate) fn holders_of(path: &Path) -> io::Result<Vec<Holder>> {
    let holders = all_holders_of(path)?.into_iter();
    let conflicting = holders.filter(|(kind, _)| *kind != Kind::Flock);
    Ok(conflicting.map(|(_, holder)| holder).collect())
}

/// The processes that hold a lock of any kind, each once.
fn all_holders_of(path: &Path) -> io::Result<Vec<(Kind, Holder)>> {
    let file = fs::metadata(path)?;
    let pids = fs::read_dir("/proc")?
        .flatten()
        .filter_map(|entry| entry.file_name().to_str()?.parse().ok());
    Ok(pids.filter_map(|pid| holder(pid, &file)).collect())
}

fn holder(pid: u32, file: &fs::Metadata) -> Option<(Kind, Holder)> {
    let descriptors = fs::read_dir(format!("/proc/{pid}/fdinfo")).ok()?;
    let kind = descriptors.flatten().find_map(|descriptor| {
        let info = fs::read_to_string(descriptor.path()).ok()?;
        let kind = info.lines().find_map(|line| lock_on(line, file.ino()))?;
        // The device in fdinfo is not always that of stat(2) (btrfs): the descriptor itself
        // decides.
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
    let holder = Holder {
        pid,
        command: command(pid),
        running_for: running_for(pid),
    };
    Some((kind, holder))
}

/// A line is `lock:  1: OFDLCK  ADVISORY  WRITE -1 08:01:1234 0 EOF`, with the inode in decimal.
pub(super) fn lock_on(line: &str, inode: u64) -> Option<Kind> {
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

fn command(pid: u32) -> String {
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

/// The 22nd field of /proc/PID/stat: the start of the process, in ticks since boot
/// (proc_pid_stat(5)). The second field may contain spaces and parentheses.
pub(super) fn started(stat: &str) -> Option<f64> {
    let (_, after_name) = stat.rsplit_once(") ")?;
    after_name.split(' ').nth(19)?.parse().ok()
}

fn running_for(pid: u32) -> Option<Duration> {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    let started = started(&stat)?;
    let ticks = sysconf(SysconfVar::CLK_TCK).ok()??;
    let uptime = fs::read_to_string("/proc/uptime").ok()?;
    let uptime: f64 = uptime.split(' ').next()?.parse().ok()?;
    Duration::try_from_secs_f64((uptime - started / ticks as f64).max(0.0)).ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sys::linux::LockFile;
    use crate::sys::types::Mode;

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
        let file = LockFile::open(&path).unwrap();
        assert_eq!(holders_of(&path).unwrap(), []);
        assert!(file.try_lock(Mode::Exclusive).unwrap());
        let holders = all_holders_of(&path).unwrap();
        let [(kind, us)] = &*holders else {
            panic!("{holders:?}")
        };
        let conflicting = holders_of(&path).unwrap().into_iter();
        assert!(conflicting.map(|holder| holder.pid).eq([us.pid]));
        assert_eq!(us.pid, std::process::id());
        assert_eq!(*kind, Kind::OpenFileDescription);
        let program = std::env::args().next().unwrap();
        assert!(us.command.starts_with(&program), "{us}");
        assert!(us.running_for.unwrap() < Duration::from_secs(24 * 60 * 60));
        file.unlock();
        assert_eq!(holders_of(&path).unwrap(), []);
    }
}
