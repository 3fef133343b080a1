//! Removal on Unix: rename and unlink.
//!
//! The file is locked: a process of ours that opens it at that moment waits, and then finds that
//! the path names another file. Python's oslo.concurrency does not check the path after locking.
//! For its sake, a lease blocks every open where there are leases, and the file is moved aside
//! first, and moved back if a process has come to open it.

use std::fs::{self, File};
use std::io;
use std::os::unix::fs::{MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use nix::libc;

#[cfg(target_os = "linux")]
use super::lease::Lease;
use super::lock::lock;
#[cfg(not(target_os = "linux"))]
use super::no_lease::Lease;
use super::outcome::Outcome;
use crate::lock_scan;

pub fn remove(path: &Path, dry_run: bool) -> io::Result<Outcome> {
    let file = match open(path) {
        Ok(file) => file,
        Err(error) => {
            return match error.raw_os_error() {
                Some(libc::ENOENT) => Ok(Outcome::Gone),
                Some(libc::ELOOP) => Ok(Outcome::NotALockFile("a symbolic link")),
                Some(libc::EISDIR) => Ok(Outcome::NotALockFile("a directory")),
                Some(libc::EAGAIN) => Ok(Outcome::InUse), // another process has a lease on it
                Some(libc::EACCES) => Ok(Outcome::NotKnown("this user may not open it".into())),
                _ => Err(error),
            };
        }
    };
    if let Some(what) = why_not_a_lock_file(&file)? {
        return Ok(Outcome::NotALockFile(what));
    }
    let lease = match Lease::take(&file) {
        Ok(None) => return Ok(Outcome::InUse),
        Ok(lease) => lease,
        Err(refused) => match without_lease(path, &refused) {
            Some(outcome) => return Ok(outcome),
            None => None,
        },
    };
    if !lock(&file)? {
        return Ok(Outcome::InUse);
    }
    // The file may have been replaced or written to since it was opened.
    if !names(path, &file)? {
        return Ok(Outcome::Gone);
    }
    if let Some(what) = why_not_a_lock_file(&file)? {
        return Ok(Outcome::NotALockFile(what));
    }
    if dry_run {
        return Ok(Outcome::Removed);
    }
    take_away(path, lease.as_ref())
}

/// Opens the file. O_NONBLOCK keeps FIFOs and other processes' leases from blocking.
fn open(path: &Path) -> io::Result<File> {
    File::options()
        .read(true)
        .write(true)
        .custom_flags(libc::O_NOFOLLOW | libc::O_NONBLOCK | libc::O_NOCTTY)
        .open(path)
}

/// The reason why the file is not a lock file.
fn why_not_a_lock_file(file: &File) -> io::Result<Option<&'static str>> {
    Ok(lock_scan::why_no_lock_file(&file.metadata()?))
}

/// The outcome without leases, by who has the file open; `None` if no process has.
fn without_lease(path: &Path, refused: &io::Error) -> Option<Outcome> {
    let openers = lock_scan::openers(path);
    if !openers.processes.is_empty() {
        return Some(Outcome::InUse);
    }
    openers.doubt.map(|doubt| {
        Outcome::NotKnown(format!(
            "the kernel granted no lease on it ({refused}), and {doubt}"
        ))
    })
}

fn names(path: &Path, file: &File) -> io::Result<bool> {
    match fs::symlink_metadata(path) {
        Ok(metadata) => {
            let ours = file.metadata()?;
            Ok((metadata.dev(), metadata.ino()) == (ours.dev(), ours.ino()))
        }
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(false),
        Err(error) => Err(error),
    }
}

fn take_away(path: &Path, lease: Option<&Lease<'_>>) -> io::Result<Outcome> {
    let aside = aside(path);
    fs::rename(path, &aside)?;
    let mut outcome = Outcome::Removed;
    if lease.is_some_and(Lease::is_in_the_way) {
        // Unlike a rename, a link does not replace a file that another process has created
        // meanwhile.
        outcome = match fs::hard_link(&aside, path) {
            Ok(()) => Outcome::InUse,
            Err(_) => Outcome::Torn,
        };
    }
    fs::remove_file(&aside)?;
    Ok(outcome)
}

/// Prefix of a file that was moved aside. A killed run leaves at most one, which the next removes.
const ASIDE: &str = ".lockutils-clean-";

fn aside(path: &Path) -> PathBuf {
    path.with_file_name(format!("{ASIDE}{}", std::process::id()))
}

/// Returns `true` for the name of a file that a killed run has left.
pub fn is_left_over(name: &str) -> bool {
    name.strip_prefix(ASIDE)
        .is_some_and(|pid| !pid.is_empty() && pid.bytes().all(|byte| byte.is_ascii_digit()))
}

#[cfg(all(test, target_os = "linux"))]
mod tests {
    use super::super::lease::tests::take_in_the_end;
    use super::*;
    use std::process::{Command, Stdio};
    use std::thread;

    #[test]
    fn a_file_that_another_process_opens_is_put_back() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("x");
        fs::write(&path, "").unwrap();
        let file = open(&path).unwrap();
        let lease = take_in_the_end(&file);
        thread::scope(|scope| {
            let opener = scope.spawn(|| File::options().append(true).open(&path).unwrap());
            while !lease.is_in_the_way() {
                thread::yield_now();
            }
            assert_eq!(take_away(&path, Some(&lease)).unwrap(), Outcome::InUse);
            drop(lease);
            assert!(names(&path, &opener.join().unwrap()).unwrap());
        });
        let left: Vec<_> = fs::read_dir(directory.path()).unwrap().collect();
        assert_eq!(left.len(), 1, "{left:?}");
    }

    #[test]
    fn without_leases_proc_tells_who_has_it_open() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("x");
        fs::write(&path, "").unwrap();
        let refused = io::Error::from_raw_os_error(libc::EINVAL);
        let mut opener = Command::new("cat")
            .stdin(Stdio::piped())
            .stdout(File::options().append(true).open(&path).unwrap())
            .spawn()
            .unwrap();
        assert_eq!(without_lease(&path, &refused), Some(Outcome::InUse));
        opener.kill().unwrap();
        opener.wait().unwrap();
        let outcome = without_lease(&path, &refused);
        if lock_scan::openers(&path).doubt.is_none() {
            assert_eq!(outcome, None);
        } else {
            assert!(matches!(outcome, Some(Outcome::NotKnown(_))), "{outcome:?}");
        }
    }
}
