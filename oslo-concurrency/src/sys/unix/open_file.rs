//! An open lock file, without its lock, and the identity of files.

use std::ffi::CString;
use std::io;
use std::os::fd::OwnedFd;
use std::os::unix::ffi::OsStrExt;
use std::path::Path;

use nix::NixPath;
use nix::errno::Errno;
use nix::fcntl::OFlag;
use nix::sys::stat::{FileStat, SFlag, fstat, lstat};

use super::descriptors::ProcessFd;
use super::fork;

#[derive(Debug)]
pub(crate) struct OpenFile {
    fd: ProcessFd,
    identity: FileIdentity,
}

/// Device and inode.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct FileIdentity {
    device: libc::dev_t,
    inode: libc::ino_t,
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

impl OpenFile {
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
        Ok(OpenFile {
            fd,
            identity: FileIdentity::of(&stat),
        })
    }

    #[inline]
    pub(crate) fn identity(&self) -> FileIdentity {
        self.identity
    }

    #[inline]
    pub(crate) fn fd(&self) -> &ProcessFd {
        &self.fd
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
        // EMLINK on FreeBSD.
        libc::ELOOP | libc::EMLINK => {
            "it is a symbolic link, and a lock file is never opened through one; remove the link"
        }
        libc::EISDIR => "it is a directory; choose another lock path or name",
        libc::EMFILE => {
            "this process has too many open files; raise `ulimit -n` or hold fewer locks at once"
        }
        libc::EACCES => {
            "it may not be opened for writing, which an exclusive lock needs; check its owner and mode"
        }
        _ => return None,
    })
}
