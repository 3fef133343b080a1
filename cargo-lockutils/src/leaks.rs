//! Which lock files a run used, and which locks it still holds.

use std::collections::{BTreeSet, HashMap};
use std::fmt;
use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use nix::unistd::Pid;

use lockutils_harness::foreign::processes;

/// Device and inode of a lock file, and its path below the lock path.
type Files = HashMap<(u64, u64), PathBuf>;

/// A lock that is held though the tests are over.
#[derive(Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Leak {
    file: PathBuf,
    pid: i32,
    command: String,
}

impl fmt::Display for Leak {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Leak { file, pid, command } = self;
        write!(
            f,
            "{} is still held by process {pid}: {command}",
            file.display()
        )
    }
}

/// The names of the lock files under `lock_path`; the gates of fair locks are no locks of their own.
pub fn lock_files(lock_path: &Path) -> BTreeSet<String> {
    files_below(lock_path)
        .values()
        .filter_map(|file| Some(file.file_name()?.to_string_lossy().into_owned()))
        .filter(|name| !name.ends_with(".turnstile"))
        .collect()
}

/// The locks on files under `lock_path` that any process holds.
///
/// They are found in /proc/PID/fdinfo, since /proc/locks gives no process for open-file-description locks. Processes of other users
/// are not seen, unless we are root.
pub fn held(lock_path: &Path) -> BTreeSet<Leak> {
    let files = files_below(lock_path);
    if files.is_empty() {
        return BTreeSet::new();
    }
    processes::all()
        .flat_map(|pid| held_by(pid, &files))
        .collect()
}

fn files_below(directory: &Path) -> Files {
    let mut files = Files::new();
    let mut left = vec![directory.to_owned()];
    while let Some(next) = left.pop() {
        for entry in fs::read_dir(&next).into_iter().flatten().flatten() {
            let path = entry.path();
            match entry.metadata() {
                Ok(metadata) if metadata.is_dir() => left.push(path),
                Ok(metadata) if metadata.is_file() => {
                    let below = path.strip_prefix(directory).unwrap_or(&path).to_owned();
                    files.insert((metadata.dev(), metadata.ino()), below);
                }
                _ => {}
            }
        }
    }
    files
}

fn held_by(pid: Pid, files: &Files) -> Vec<Leak> {
    let entries = fs::read_dir(format!("/proc/{pid}/fdinfo"));
    entries
        .into_iter()
        .flatten()
        .filter_map(|entry| fs::read_to_string(entry.ok()?.path()).ok())
        .flat_map(|info| info.lines().filter_map(locked_file).collect::<Vec<_>>())
        .filter_map(|file| files.get(&file))
        .map(|file| Leak {
            file: file.clone(),
            pid: pid.as_raw(),
            command: processes::command(pid),
        })
        .collect()
}

/// `lock:  1: OFDLCK  ADVISORY  WRITE -1 08:01:1234 0 EOF` (proc_pid_fdinfo(5)): the device in hexadecimal, the inode in decimal.
fn locked_file(line: &str) -> Option<(u64, u64)> {
    let file = line
        .strip_prefix("lock:")?
        .split_whitespace()
        .find(|word| word.matches(':').count() == 2)?;
    let mut parts = file.split(':');
    let major = u64::from_str_radix(parts.next()?, 16).ok()?;
    let minor = u64::from_str_radix(parts.next()?, 16).ok()?;
    let inode = parts.next()?.parse().ok()?;
    Some((nix::sys::stat::makedev(major, minor), inode))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_a_lock_of_fdinfo() {
        let line = "lock:\t1: OFDLCK  ADVISORY  WRITE -1 fe:01:1234 0 EOF";
        assert_eq!(
            locked_file(line),
            Some((nix::sys::stat::makedev(0xfe, 1), 1234))
        );
        assert_eq!(locked_file("pos:\t0"), None);
    }

    #[test]
    fn names_lock_files_of_all_directories_once() {
        let directory = tempfile::tempdir().unwrap();
        for file in ["one/a", "two/a", "two/b", ".b.turnstile"] {
            let path = directory.path().join(file);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, "").unwrap();
        }
        let names: Vec<String> = lock_files(directory.path()).into_iter().collect();
        assert_eq!(names, ["a", "b"]);
    }
}
