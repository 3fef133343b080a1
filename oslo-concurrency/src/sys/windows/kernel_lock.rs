//! The locks of Windows: LockFileEx on the first byte.
//!
//! Python's fasteners locks the same byte of an empty file (`msvcrt.locking` of one byte). These
//! locks belong to the open file: others do not free them, and threads exclude each other. Windows
//! frees them when the process ends.

use std::io;
use std::os::windows::io::{AsRawHandle, BorrowedHandle};
use std::time::Instant;

use windows_sys::Win32::Foundation::{ERROR_LOCK_VIOLATION, ERROR_NOT_LOCKED};
use windows_sys::Win32::Storage::FileSystem::{
    LOCKFILE_EXCLUSIVE_LOCK, LOCKFILE_FAIL_IMMEDIATELY, LockFileEx, UnlockFileEx,
};
use windows_sys::Win32::System::IO::OVERLAPPED;
use windows_sys::core::BOOL;

use super::cancel::Cancel;
use super::overlapped;
use super::system::is_wine;
use crate::sys::ask_again::ask_again;
use crate::sys::types::{Mode, WaitError};

/// Starts to lock the first byte: the offset in a new OVERLAPPED is 0.
fn start(file: BorrowedHandle<'_>, mode: Mode, flags: u32, state: *mut OVERLAPPED) -> BOOL {
    let mode = match mode {
        Mode::Exclusive => LOCKFILE_EXCLUSIVE_LOCK,
        Mode::Shared => 0,
    };
    // SAFETY: the handle is open. The state lives until the operation has ended; the caller sees to
    // that.
    unsafe { LockFileEx(file.as_raw_handle(), mode | flags, 0, 1, 0, state) }
}

/// Acquires the lock if no other lock conflicts with it.
pub(super) fn try_lock(file: BorrowedHandle<'_>, mode: Mode) -> io::Result<bool> {
    let start = |state| start(file, mode, LOCKFILE_FAIL_IMMEDIATELY, state);
    match overlapped::run(file, start, None, None) {
        Err(error) if error.raw_os_error() == Some(ERROR_LOCK_VIOLATION as i32) => Ok(false),
        outcome => outcome,
    }
}

/// Waits until the lock is acquired, `until` has passed, or `cancel` is cancelled. Returns `true`
/// if the lock was acquired.
pub(super) fn wait(
    file: BorrowedHandle<'_>,
    mode: Mode,
    until: Option<Instant>,
    cancel: Option<&Cancel>,
) -> Result<bool, WaitError> {
    if is_wine() {
        let is_cancelled = || cancel.is_some_and(Cancel::is_cancelled);
        return ask_again(|| try_lock(file, mode), until, is_cancelled).map_err(WaitError::Refused);
    }
    let event = cancel.map(Cancel::event).transpose().map_err(|error| {
        WaitError::NoTimer(format!(
            "an event has to end the wait, and none can be made ({error}); check the number of \
             handles of this process"
        ))
    })?;
    if until.is_some_and(|until| Instant::now() >= until)
        || cancel.is_some_and(Cancel::is_cancelled)
    {
        return Ok(false);
    }
    let start = |state| start(file, mode, 0, state);
    overlapped::run(file, start, until, event.as_deref()).map_err(WaitError::Refused)
}

/// Releases the lock, if it is held.
pub(super) fn unlock(file: BorrowedHandle<'_>) -> io::Result<()> {
    let mut state = OVERLAPPED::default();
    // SAFETY: the handle is open. Unlocking does not wait: the state is used only by the call.
    if unsafe { UnlockFileEx(file.as_raw_handle(), 0, 1, 0, &mut state) } != 0 {
        return Ok(());
    }
    match io::Error::last_os_error() {
        error if error.raw_os_error() == Some(ERROR_NOT_LOCKED as i32) => Ok(()),
        error => Err(error),
    }
}
