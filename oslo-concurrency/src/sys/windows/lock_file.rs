//! An open lock file and its lock.

use std::fs::{self, File, OpenOptions};
use std::io;
use std::os::windows::fs::{MetadataExt, OpenOptionsExt};
use std::os::windows::io::{AsHandle, AsRawHandle};
use std::path::Path;
use std::time::Instant;

use windows_sys::Win32::Foundation::{
    ERROR_ACCESS_DENIED, ERROR_INVALID_NAME, ERROR_SHARING_VIOLATION, ERROR_TOO_MANY_OPEN_FILES,
};
use windows_sys::Win32::Storage::FileSystem::{
    FILE_ATTRIBUTE_DIRECTORY, FILE_ATTRIBUTE_REPARSE_POINT, FILE_FLAG_OPEN_REPARSE_POINT,
    FILE_FLAG_OVERLAPPED, FILE_TYPE_DISK, GetFileType,
};

use super::cancel::Cancel;
use super::identity::{FileIdentity, SHARE_ALL};
use super::kernel_lock;
use super::system::is_delete_pending;
use crate::sys::types::{Mode, WaitError};

#[derive(Debug)]
pub(crate) struct LockFile {
    file: File,
    identity: FileIdentity,
}

impl LockFile {
    pub(crate) fn open(path: &Path) -> io::Result<Self> {
        let file = open_for_locking(path)?;
        // SAFETY: the handle is open.
        let kind = unsafe { GetFileType(file.as_raw_handle()) };
        if kind != FILE_TYPE_DISK {
            return Err(refused(
                "it is not a file; choose another lock path or name",
            ));
        }
        let attributes = file.metadata()?.file_attributes();
        if attributes & FILE_ATTRIBUTE_REPARSE_POINT != 0 {
            return Err(refused(
                "it is a link, and a lock file is never opened through one; remove the link",
            ));
        }
        Ok(LockFile {
            identity: FileIdentity::of(file.as_handle())?,
            file,
        })
    }

    #[inline]
    pub(crate) fn identity(&self) -> FileIdentity {
        self.identity
    }

    #[inline]
    pub(crate) fn try_lock(&self, mode: Mode) -> io::Result<bool> {
        kernel_lock::try_lock(self.file.as_handle(), mode)
    }

    pub(crate) fn lock(
        &self,
        mode: Mode,
        until: Option<Instant>,
        cancel: Option<&Cancel>,
    ) -> Result<bool, WaitError> {
        kernel_lock::wait(self.file.as_handle(), mode, until, cancel)
    }

    #[cfg(test)]
    pub(super) fn handle(&self) -> std::os::windows::io::BorrowedHandle<'_> {
        self.file.as_handle()
    }

    /// An error means that the program has closed the handle, and the lock with it.
    #[inline]
    pub(crate) fn unlock(&self) {
        if let Err(error) = kernel_lock::unlock(self.file.as_handle()) {
            tracing::warn!(%error, "the lock could not be freed");
        }
    }
}

impl Drop for LockFile {
    /// Windows frees the locks of a closed file some time later, not at once.
    fn drop(&mut self) {
        let _ = kernel_lock::unlock(self.file.as_handle());
    }
}

fn open_for_locking(path: &Path) -> io::Result<File> {
    let opened = OpenOptions::new()
        .read(true)
        .write(true)
        .create(true)
        .truncate(false)
        .share_mode(SHARE_ALL)
        .custom_flags(FILE_FLAG_OVERLAPPED | FILE_FLAG_OPEN_REPARSE_POINT)
        .open(path);
    let error = match opened {
        Ok(file) => return Ok(file),
        Err(error) => error,
    };
    let code = error.raw_os_error().map(|code| code as u32);
    if is_delete_pending(&error) {
        return Err(unavailable(
            "it was deleted, and another process still has it open",
            &error,
        ));
    }
    if code == Some(ERROR_SHARING_VIOLATION) {
        return Err(unavailable(
            "another process has it open and does not share it",
            &error,
        ));
    }
    if code == Some(ERROR_ACCESS_DENIED) && is_directory(path) {
        return Err(refused(
            "it is a directory; choose another lock path or name",
        ));
    }
    Err(error)
}

fn is_directory(path: &Path) -> bool {
    let metadata = fs::symlink_metadata(path);
    metadata.is_ok_and(|metadata| metadata.file_attributes() & FILE_ATTRIBUTE_DIRECTORY != 0)
}

fn refused(reason: &str) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidInput, reason)
}

/// An error that may be gone at the next attempt.
fn unavailable(reason: &str, error: &io::Error) -> io::Error {
    io::Error::new(io::ErrorKind::WouldBlock, format!("{reason} ({error})"))
}

pub(crate) fn advice_on_open(error: &io::Error) -> Option<&'static str> {
    Some(match error.raw_os_error()? as u32 {
        ERROR_ACCESS_DENIED => {
            "it may not be opened for writing, which a lock needs; check its permissions and its attribute read-only"
        }
        ERROR_INVALID_NAME => "Windows does not accept this path; choose another lock path or name",
        ERROR_TOO_MANY_OPEN_FILES => {
            "this process has too many open files; hold fewer locks at once"
        }
        _ => return None,
    })
}
