//! One open lock file.

use std::fs;
use std::io;
use std::os::fd::OwnedFd;
use std::path::Path;
use std::thread;
use std::time::{Duration, Instant};

use nix::NixPath;
use nix::errno::Errno;
use nix::fcntl::OFlag;
use nix::sys::stat::{FileStat, SFlag, fstat, lstat};

use crate::fork::ProcessFd;
use crate::sys::{
    filesystem,
    kernel_lock::{self as kernel, Mode},
};
use crate::wait::{Missed, Patience, Wait};

/// How often a directory that somebody removes under us is made again before we give up.
const MAKE_DIRECTORY_TRIES: usize = 100;

/// How long a lease on the file can make opening it fail: the kernel takes a lease away after 45 s by default
/// (/proc/sys/fs/lease-break-time). `cargo lockutils clean` has one for some microseconds.
const LEASES_END: Duration = Duration::from_secs(60);
/// The first pause between two attempts to open a file that is leased, and the longest: nothing wakes an opener that
/// must not block.
const LEASE_PAUSES: [Duration; 2] = [Duration::from_micros(50), Duration::from_millis(2)];

/// An open lock file. It is never written to, truncated or deleted here.
#[derive(Debug)]
pub(crate) struct LockFile {
    fd: ProcessFd,
    identity: FileIdentity,
}

/// Device and inode: the same for two paths exactly if they name the same file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct FileIdentity {
    device: u64,
    inode: u64,
}

impl FileIdentity {
    fn of(stat: &FileStat) -> Self {
        FileIdentity {
            device: stat.st_dev,
            inode: stat.st_ino,
        }
    }
}

/// Whether `path` itself (no link is followed) is this file at this moment.
pub(crate) fn same_file<P: NixPath + ?Sized>(path: &P, identity: FileIdentity) -> io::Result<bool> {
    match lstat(path) {
        Ok(stat) => Ok(FileIdentity::of(&stat) == identity),
        Err(Errno::ENOENT | Errno::ENOTDIR) => Ok(false),
        Err(error) => Err(error.into()),
    }
}

/// The file that `path` itself names at this moment, if it names one that can be looked at.
pub(crate) fn identity_at(path: &Path) -> Option<FileIdentity> {
    lstat(path).ok().map(|stat| FileIdentity::of(&stat))
}

impl LockFile {
    /// Opens the file at `path`, and makes it and its directories if they are missing.
    ///
    /// While another process has a lease on the file, it cannot be opened; that is waited for as `wait` and `patience`
    /// say.
    pub(crate) fn open(
        path: &Path,
        wait: Wait,
        patience: &mut Patience<'_>,
    ) -> io::Result<Result<Self, Missed>> {
        let mut tries = 0;
        let mut leased_since = None;
        let [mut pause, longest_pause] = LEASE_PAUSES;
        loop {
            match ProcessFd::open(|| open_for_locking(path)) {
                Ok(fd) => return Self::checked(fd).map(Ok),
                Err(error)
                    if error.kind() == io::ErrorKind::NotFound && tries < MAKE_DIRECTORY_TRIES =>
                {
                    tries += 1;
                    if let Some(directory) = path.parent() {
                        make_directory(directory)?;
                    }
                }
                // Only a lease does this to a regular file that is opened with O_NONBLOCK (fcntl(2), "Leases").
                Err(error)
                    if error.kind() == io::ErrorKind::WouldBlock
                        && leased_since.get_or_insert_with(Instant::now).elapsed() < LEASES_END =>
                {
                    let limit = patience.limit(wait);
                    if wait == Wait::Never {
                        return Ok(Err(Missed::Busy));
                    }
                    let left = match limit {
                        Wait::Until(limit) => limit.saturating_duration_since(Instant::now()),
                        _ => longest_pause,
                    };
                    thread::sleep(pause.min(left));
                    pause = (pause * 2).min(longest_pause);
                    if patience.is_over(wait) {
                        return Ok(Err(Missed::TimedOut));
                    }
                }
                Err(error) => return Err(explain_open(error)),
            }
        }
    }

    /// [`open`](Self::open) in a test, where nobody has a lease.
    #[cfg(test)]
    pub(crate) fn open_now(path: &Path) -> Self {
        let opened = LockFile::open(path, Wait::Never, &mut Patience::silent());
        opened.unwrap().unwrap()
    }

    fn checked(fd: ProcessFd) -> io::Result<Self> {
        let stat = fstat(&fd)?;
        if stat.st_mode & SFlag::S_IFMT.bits() != SFlag::S_IFREG.bits() {
            return Err(io::Error::new(
                io::ErrorKind::InvalidInput,
                "it is not a regular file; choose another lock path or name",
            ));
        }
        Ok(LockFile {
            fd,
            identity: FileIdentity::of(&stat),
        })
    }

    pub(crate) fn identity(&self) -> FileIdentity {
        self.identity
    }

    /// Whether `path` still leads to this file.
    pub(crate) fn is_at<P: NixPath + ?Sized>(&self, path: &P) -> io::Result<bool> {
        same_file(path, self.identity)
    }

    pub(crate) fn try_lock(&self, mode: Mode, path: &Path) -> io::Result<bool> {
        kernel::try_lock(&self.fd, mode).map_err(|error| explain_lock(error, path))
    }

    /// Waits in the kernel until the lock is ours or the deadline is there.
    pub(crate) fn lock(
        &self,
        mode: Mode,
        wait: Wait,
        path: &Path,
    ) -> io::Result<Result<(), Missed>> {
        self.lock_patiently(mode, wait, path, &mut Patience::silent())
    }

    /// [`lock`](Self::lock) that is interrupted as `patience` says.
    pub(crate) fn lock_patiently(
        &self,
        mode: Mode,
        wait: Wait,
        path: &Path,
        patience: &mut Patience<'_>,
    ) -> io::Result<Result<(), Missed>> {
        kernel::wait_for_lock(&self.fd, mode, wait, patience)
            .map_err(|error| explain_lock(error, path))
    }

    pub(crate) fn unlock(&self) {
        kernel::unlock(&self.fd);
    }
}

/// Makes it, unless somebody removes it, or a directory above it, at the same time: then the next try to open the file tells.
fn make_directory(directory: &Path) -> io::Result<()> {
    match fs::create_dir_all(directory) {
        // It was there for mkdir(2), and was not for the look that follows.
        Err(error)
            if matches!(
                error.kind(),
                io::ErrorKind::AlreadyExists | io::ErrorKind::NotFound
            ) =>
        {
            Ok(())
        }
        outcome => outcome,
    }
}

fn open_for_locking(path: &Path) -> io::Result<OwnedFd> {
    // O_NONBLOCK: a FIFO put in place of the lock file must not hang us; it does nothing to a regular file.
    let flags = OFlag::O_RDWR
        | OFlag::O_CREAT
        | OFlag::O_CLOEXEC
        | OFlag::O_NOFOLLOW
        | OFlag::O_NOCTTY
        | OFlag::O_NONBLOCK;
    let mode = nix::sys::stat::Mode::from_bits_truncate(0o666);
    Ok(nix::fcntl::open(path, flags, mode)?)
}

fn explain_open(error: io::Error) -> io::Error {
    let advice = match error.raw_os_error() {
        Some(libc::ELOOP) => {
            "it is a symbolic link, and a lock file is never opened through one; remove the link"
        }
        Some(libc::EISDIR) => "it is a directory; choose another lock path or name",
        Some(libc::EMFILE) => {
            "this process has too many open files; raise `ulimit -n` or hold fewer locks at once"
        }
        Some(libc::EACCES) => {
            "it may not be opened for writing, which an exclusive lock needs; check its owner and mode"
        }
        _ => return error,
    };
    io::Error::new(
        error.kind(),
        Explained {
            advice: advice.into(),
            source: error,
        },
    )
}

/// An error of fcntl(2) that is not about another holder means that the file system cannot lock.
fn explain_lock(error: io::Error, path: &Path) -> io::Error {
    let system = filesystem::type_of(path).unwrap_or_else(|| "unknown".into());
    let advice = format!(
        "the file system ({system}) refused the lock; put the lock path on one that supports fcntl locks"
    );
    io::Error::new(
        error.kind(),
        Explained {
            advice,
            source: error,
        },
    )
}

#[derive(Debug, thiserror::Error)]
#[error("{advice} ({source})")]
struct Explained {
    advice: String,
    source: io::Error,
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::fd::AsRawFd;

    fn fcntl(file: &fs::File, command: libc::c_int, argument: libc::c_int) -> libc::c_int {
        // SAFETY: the descriptor is open, and these commands take a number and touch no memory.
        unsafe { libc::fcntl(file.as_raw_fd(), command, argument) }
    }

    #[test]
    fn opening_waits_for_the_end_of_a_lease_no_longer_than_asked() {
        const F_SETSIG: libc::c_int = 10; // linux/fcntl.h
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("x");
        let file = fs::File::create(&path).unwrap();
        // Not SIGIO, the default, which would end the tests: SIGURG does nothing.
        assert_eq!(fcntl(&file, F_SETSIG, libc::SIGURG), 0);
        assert_eq!(fcntl(&file, libc::F_SETLEASE, libc::F_WRLCK), 0);
        let open = |wait| LockFile::open(&path, wait, &mut Patience::silent()).unwrap();
        assert_eq!(open(Wait::Never).err(), Some(Missed::Busy));
        let deadline = Instant::now() + Duration::from_millis(20);
        assert_eq!(open(Wait::Until(deadline)).err(), Some(Missed::TimedOut));
        assert!(Instant::now() >= deadline);
        thread::scope(|scope| {
            let opener = scope.spawn(|| {
                let file = LockFile::open(&path, Wait::Forever, &mut Patience::silent())?;
                Ok::<_, io::Error>(file.map(|file| file.is_at(&path)))
            });
            assert_eq!(fcntl(&file, libc::F_SETLEASE, libc::F_UNLCK), 0);
            assert!(opener.join().unwrap().unwrap().unwrap().unwrap());
        });
    }
}
