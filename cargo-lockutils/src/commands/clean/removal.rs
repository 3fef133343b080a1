//! Removal of one unused lock file, without ever letting two processes hold the lock.
//!
//! No process may have the file open: then none holds the lock or is about to. The file is locked
//! nevertheless: a process that opens it now through oslo-concurrency waits, and then finds that
//! the path names another file. Python's oslo.concurrency does not check the path after locking.
//! For its sake, a lease blocks every open, and the file is first moved aside, and moved back if a
//! process is waiting to open it.

use std::fs::{self, File};
use std::io;
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

use nix::errno::Errno;
use nix::fcntl::{FcntlArg, fcntl};
use nix::libc;

use super::lease::Lease;
use crate::lock_scan::{self, FileId};

/// The outcome for one file.
#[derive(Debug, PartialEq, Eq)]
pub enum Outcome {
    Removed,
    /// A process has the file open, and has perhaps locked it.
    InUse,
    /// Not a lock file, for this reason.
    NotALockFile(&'static str),
    /// It is unknown whether a process has the file open, for this reason.
    NotKnown(String),
    /// Another process has removed or replaced the file.
    Gone,
    /// Removed while another process was opening it and a third had already created a new file
    /// under the name.
    Torn,
}

/// Removes the file at `path`; with `dry_run`, only reports what it would do.
///
/// # Errors
/// Returns an error if a system call fails.
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

/// The outcome without leases, according to /proc; `None` if no process has the file open.
fn without_lease(path: &Path, refused: &io::Error) -> Option<Outcome> {
    let (openers, hidden) = lock_scan::that_have_open(path);
    if !openers.is_empty() {
        return Some(Outcome::InUse);
    }
    (hidden > 0).then(|| {
        Outcome::NotKnown(format!(
            "the kernel granted no lease on it ({refused}), and {}",
            super::super::ls::hidden(hidden)
        ))
    })
}

fn lock(file: &File) -> io::Result<bool> {
    let request = libc::flock {
        l_type: libc::F_WRLCK as libc::c_short,
        l_whence: libc::SEEK_SET as libc::c_short,
        l_start: 0,
        l_len: 0,
        l_pid: 0,
    };
    match fcntl(file, FcntlArg::F_OFD_SETLK(&request)) {
        Ok(_) => Ok(true),
        Err(Errno::EAGAIN | Errno::EACCES) => Ok(false),
        Err(error) => Err(error.into()),
    }
}

fn names(path: &Path, file: &File) -> io::Result<bool> {
    match fs::symlink_metadata(path) {
        Ok(metadata) => Ok(FileId::of(&metadata) == FileId::of(&file.metadata()?)),
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

#[cfg(test)]
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
        let refused = io::Error::from(Errno::EINVAL);
        let mut opener = Command::new("cat")
            .stdin(Stdio::piped())
            .stdout(File::options().append(true).open(&path).unwrap())
            .spawn()
            .unwrap();
        assert_eq!(without_lease(&path, &refused), Some(Outcome::InUse));
        opener.kill().unwrap();
        opener.wait().unwrap();
        let outcome = without_lease(&path, &refused);
        if lock_scan::that_have_open(&path).1 == 0 {
            assert_eq!(outcome, None);
        } else {
            assert!(matches!(outcome, Some(Outcome::NotKnown(_))), "{outcome:?}");
        }
    }
}
