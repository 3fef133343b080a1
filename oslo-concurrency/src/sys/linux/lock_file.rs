//! An open lock file, and the identity of files.

use std::ffi::CString;
use std::io;
use std::os::fd::OwnedFd;
use std::os::unix::ffi::OsStrExt;
use std::path::Path;
use std::time::Instant;

use nix::NixPath;
use nix::errno::Errno;
use nix::fcntl::OFlag;
use nix::sys::stat::{FileStat, SFlag, fstat, lstat};

use super::cancel::Cancel;
use super::descriptors::ProcessFd;
use super::{fork, kernel_lock};
use crate::sys::types::{Mode, WaitError};

#[derive(Debug)]
pub(crate) struct LockFile {
    fd: ProcessFd,
    identity: FileIdentity,
}

/// Device and inode.
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

/// The path as a C string; `None` if it contains a NUL.
#[derive(Debug)]
pub(crate) struct NativePath(Option<CString>);

impl NativePath {
    pub(crate) fn new(path: &Path) -> Self {
        NativePath(CString::new(path.as_os_str().as_bytes()).ok())
    }

    #[inline]
    pub(crate) fn identity(&self) -> io::Result<Option<FileIdentity>> {
        match &self.0 {
            Some(path) => identity_of(path.as_c_str()),
            None => Err(Errno::EINVAL.into()),
        }
    }
}

pub(crate) fn identity_at(path: &Path) -> io::Result<Option<FileIdentity>> {
    identity_of(path)
}

#[inline]
fn identity_of<P: NixPath + ?Sized>(path: &P) -> io::Result<Option<FileIdentity>> {
    match lstat(path) {
        Ok(stat) => Ok(Some(FileIdentity::of(&stat))),
        Err(Errno::ENOENT | Errno::ENOTDIR) => Ok(None),
        Err(error) => Err(error.into()),
    }
}

impl LockFile {
    pub(crate) fn open(path: &Path) -> io::Result<Self> {
        fork::install_handlers();
        let fd = ProcessFd::open(|| open_for_locking(path))?;
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

    #[inline]
    pub(crate) fn identity(&self) -> FileIdentity {
        self.identity
    }

    #[inline]
    pub(crate) fn try_lock(&self, mode: Mode) -> io::Result<bool> {
        kernel_lock::try_lock(&self.fd, mode)
    }

    pub(crate) fn lock(
        &self,
        mode: Mode,
        until: Option<Instant>,
        cancel: Option<&Cancel>,
    ) -> Result<bool, WaitError> {
        kernel_lock::wait(&self.fd, mode, until, cancel)
    }

    #[inline]
    pub(crate) fn unlock(&self) {
        kernel_lock::unlock(&self.fd);
    }
}

fn open_for_locking(path: &Path) -> io::Result<OwnedFd> {
    // O_NONBLOCK: a FIFO in place of the lock file must not block; a regular file does not change,
    // except that a lease on it is an error instead of a wait.
    let flags = OFlag::O_RDWR
        | OFlag::O_CREAT
        | OFlag::O_CLOEXEC
        | OFlag::O_NOFOLLOW
        | OFlag::O_NOCTTY
        | OFlag::O_NONBLOCK;
    let mode = nix::sys::stat::Mode::from_bits_truncate(0o666);
    Ok(nix::fcntl::open(path, flags, mode)?)
}

pub(crate) fn advice_on_open(error: &io::Error) -> Option<&'static str> {
    Some(match error.raw_os_error()? {
        libc::ELOOP => {
            "it is a symbolic link, and a lock file is never opened through one; remove the link"
        }
        libc::EISDIR => "it is a directory; choose another lock path or name",
        libc::EMFILE => {
            "this process has too many open files; raise `ulimit -n` or hold fewer locks at once"
        }
        libc::EACCES => {
            "it may not be opened for writing, which an exclusive lock needs; check its owner and \
             mode"
        }
        _ => return None,
    })
}

/// Parts of the system that only tests need.
#[cfg(test)]
pub(crate) mod for_tests {
    use std::fs::{self, File};
    use std::os::fd::AsRawFd;
    use std::path::Path;

    /// The number of open files of this process in `directory`.
    pub(crate) fn open_files_in(directory: &Path) -> usize {
        let open = fs::read_dir("/proc/self/fd").unwrap();
        open.flatten()
            .filter_map(|fd| fs::read_link(fd.path()).ok())
            .filter(|file| file.starts_with(directory))
            .count()
    }

    /// A lease on a file. Until it is dropped, others cannot open the file (fcntl(2), "Leases").
    #[derive(Debug)]
    pub(crate) struct Lease(File);

    impl Lease {
        /// Creates the file at `path` and takes a lease on it.
        pub(crate) fn on_new_file(path: &Path) -> Self {
            const F_SETSIG: libc::c_int = 10; // linux/fcntl.h
            let lease = Lease(File::create(path).unwrap());
            // Not SIGIO, the default, which would end the tests: SIGURG does nothing.
            assert_eq!(lease.fcntl(F_SETSIG, libc::SIGURG), 0);
            assert_eq!(lease.fcntl(libc::F_SETLEASE, libc::F_WRLCK), 0);
            lease
        }

        fn fcntl(&self, command: libc::c_int, argument: libc::c_int) -> libc::c_int {
            // SAFETY: the descriptor is open, and these commands take a number and touch no memory.
            unsafe { libc::fcntl(self.0.as_raw_fd(), command, argument) }
        }
    }

    impl Drop for Lease {
        fn drop(&mut self) {
            assert_eq!(self.fcntl(libc::F_SETLEASE, libc::F_UNLCK), 0);
        }
    }
}
