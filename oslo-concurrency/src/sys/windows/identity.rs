//! The identity of files.

use std::fs::OpenOptions;
use std::io;
use std::mem::{MaybeUninit, size_of};
use std::os::windows::fs::OpenOptionsExt;
use std::os::windows::io::{AsHandle, AsRawHandle, BorrowedHandle};
use std::path::{Path, PathBuf};

use windows_sys::Win32::Storage::FileSystem::{
    BY_HANDLE_FILE_INFORMATION, FILE_FLAG_BACKUP_SEMANTICS, FILE_FLAG_OPEN_REPARSE_POINT,
    FILE_ID_INFO, FILE_SHARE_DELETE, FILE_SHARE_READ, FILE_SHARE_WRITE, FileIdInfo,
    GetFileInformationByHandle, GetFileInformationByHandleEx,
};

use super::system::is_delete_pending;

/// Reads, writes and deletes by others go on while a file is open.
pub(super) const SHARE_ALL: u32 = FILE_SHARE_READ | FILE_SHARE_WRITE | FILE_SHARE_DELETE;

/// Volume and number of the file there.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct FileIdentity {
    volume: u64,
    file: u128,
}

impl FileIdentity {
    /// The identity of an open file.
    pub(super) fn of(file: BorrowedHandle<'_>) -> io::Result<Self> {
        // A file system that has no long numbers refuses the first call for all of its files.
        Self::with_long_number(file).or_else(|_| Self::with_short_number(file))
    }

    fn with_long_number(file: BorrowedHandle<'_>) -> io::Result<Self> {
        let mut info = MaybeUninit::<FILE_ID_INFO>::zeroed();
        // SAFETY: the handle is open, and the buffer has the size and the type of this class.
        let found = unsafe {
            GetFileInformationByHandleEx(
                file.as_raw_handle(),
                FileIdInfo,
                info.as_mut_ptr().cast(),
                size_of::<FILE_ID_INFO>() as u32,
            )
        };
        if found == 0 {
            return Err(io::Error::last_os_error());
        }
        // SAFETY: all zeroes is a valid value, and the call has filled it in.
        let info = unsafe { info.assume_init() };
        Ok(FileIdentity {
            volume: info.VolumeSerialNumber,
            file: u128::from_le_bytes(info.FileId.Identifier),
        })
    }

    fn with_short_number(file: BorrowedHandle<'_>) -> io::Result<Self> {
        let mut info = MaybeUninit::<BY_HANDLE_FILE_INFORMATION>::zeroed();
        // SAFETY: the handle is open, and the buffer has the type that the call fills in.
        if unsafe { GetFileInformationByHandle(file.as_raw_handle(), info.as_mut_ptr()) } == 0 {
            return Err(io::Error::last_os_error());
        }
        // SAFETY: all zeroes is a valid value, and the call has filled it in.
        let info = unsafe { info.assume_init() };
        Ok(FileIdentity {
            volume: info.dwVolumeSerialNumber.into(),
            file: u128::from(info.nFileIndexHigh) << 32 | u128::from(info.nFileIndexLow),
        })
    }
}

/// The path as it is: each call of Windows converts it, which costs little beside the call.
#[derive(Debug)]
pub(crate) struct NativePath(PathBuf);

impl NativePath {
    pub(crate) fn new(path: &Path) -> Self {
        NativePath(path.to_owned())
    }

    #[inline]
    pub(crate) fn identity(&self) -> io::Result<Option<FileIdentity>> {
        identity_at(&self.0)
    }
}

/// Opens the file for its attributes alone, which no share mode of another process refuses, and
/// which does not count as a use of the file.
pub(crate) fn identity_at(path: &Path) -> io::Result<Option<FileIdentity>> {
    let file = OpenOptions::new()
        .access_mode(0)
        .share_mode(SHARE_ALL)
        .custom_flags(FILE_FLAG_OPEN_REPARSE_POINT | FILE_FLAG_BACKUP_SEMANTICS)
        .open(path);
    match file {
        Ok(file) => FileIdentity::of(file.as_handle()).map(Some),
        // Deleted, and still open somewhere: its name can no longer be opened.
        Err(error) if is_delete_pending(&error) => Ok(None),
        Err(error) => match error.kind() {
            io::ErrorKind::NotFound | io::ErrorKind::NotADirectory => Ok(None),
            _ => Err(error),
        },
    }
}
