//! Removal on Windows: the file is opened exclusively, which works only while no other handle is
//! open, and is removed through that handle. So no process can open it in between.
//!
//! A process of ours that opens it meanwhile is told so by the system, and tries again.

use std::fs::File;
use std::io;
use std::os::windows::fs::OpenOptionsExt;
use std::os::windows::io::AsRawHandle;
use std::path::Path;

use windows_sys::Win32::Foundation::{
    ERROR_ACCESS_DENIED, ERROR_DELETE_PENDING, ERROR_SHARING_VIOLATION, GENERIC_READ,
};
use windows_sys::Win32::Storage::FileSystem::{
    DELETE, FILE_DISPOSITION_INFO, FILE_FLAG_OPEN_REPARSE_POINT, FileDispositionInfo,
    SetFileInformationByHandle,
};

use super::outcome::Outcome;
use crate::lock_scan;

const SHARE_NOTHING: u32 = 0;

pub fn remove(path: &Path, dry_run: bool) -> io::Result<Outcome> {
    let file = File::options()
        .access_mode(GENERIC_READ | DELETE)
        .share_mode(SHARE_NOTHING)
        .custom_flags(FILE_FLAG_OPEN_REPARSE_POINT)
        .open(path);
    let file = match file {
        Ok(file) => file,
        Err(error) => return not_opened(error),
    };
    // It cannot change any more.
    if let Some(what) = lock_scan::why_no_lock_file(&file.metadata()?) {
        return Ok(Outcome::NotALockFile(what));
    }
    if !dry_run {
        delete(&file)?;
    }
    Ok(Outcome::Removed)
}

fn not_opened(error: io::Error) -> io::Result<Outcome> {
    let code = error.raw_os_error().map(i32::cast_unsigned);
    match code {
        _ if error.kind() == io::ErrorKind::NotFound => Ok(Outcome::Gone),
        Some(ERROR_DELETE_PENDING) => Ok(Outcome::Gone),
        Some(ERROR_SHARING_VIOLATION) => Ok(Outcome::InUse),
        Some(ERROR_ACCESS_DENIED) => Ok(Outcome::NotKnown(
            "this user may not remove it, or it is read-only".into(),
        )),
        _ => Err(error),
    }
}

/// Removes the file once the handle is closed.
fn delete(file: &File) -> io::Result<()> {
    let information = FILE_DISPOSITION_INFO { DeleteFile: true };
    // SAFETY: the structure is the one of this class, and lives during the call.
    let done = unsafe {
        SetFileInformationByHandle(
            file.as_raw_handle(),
            FileDispositionInfo,
            (&raw const information).cast(),
            size_of::<FILE_DISPOSITION_INFO>() as u32,
        )
    };
    match done {
        0 => Err(io::Error::last_os_error()),
        _ => Ok(()),
    }
}

/// Nothing is moved aside, so nothing is left.
pub fn is_left_over(_: &str) -> bool {
    false
}
