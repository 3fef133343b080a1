//! The variant of Windows, and the meaning of its errors.

use std::ffi::CStr;
use std::io;
use std::sync::atomic::{AtomicU8, Ordering};

use windows_sys::Win32::Foundation::{
    ERROR_ACCESS_DENIED, ERROR_DELETE_PENDING, FARPROC, STATUS_DELETE_PENDING,
};
use windows_sys::Win32::System::LibraryLoader::{GetModuleHandleW, GetProcAddress};
use windows_sys::w;

#[link(name = "ntdll")]
unsafe extern "system" {
    /// The status of the last call that failed in this thread. More exact than its error.
    safe fn RtlGetLastNtStatus() -> i32;
}

/// Returns `true` if `error`, of the call that this thread made last, means that the file was
/// deleted and is still open somewhere.
pub(super) fn is_delete_pending(error: &io::Error) -> bool {
    let code = error.raw_os_error().map(|code| code as u32);
    code == Some(ERROR_DELETE_PENDING)
        || code == Some(ERROR_ACCESS_DENIED) && RtlGetLastNtStatus() == STATUS_DELETE_PENDING
}

/// A function that not every Windows has, of a library that is loaded.
pub(super) fn function(library: *const u16, name: &CStr) -> FARPROC {
    // SAFETY: the name of the library ends in NUL; a null module is an error of the second call.
    unsafe { GetProcAddress(GetModuleHandleW(library), name.as_ptr().cast()) }
}

/// Returns `true` under Wine, where an asynchronous lock that has to wait is never granted (as of
/// version 8, `NtLockFile` in dlls/ntdll/unix/file.c).
pub(super) fn is_wine() -> bool {
    static KNOWN: AtomicU8 = AtomicU8::new(0);
    match KNOWN.load(Ordering::Relaxed) {
        0 => {
            let is_wine = function(w!("ntdll.dll"), c"wine_get_version").is_some();
            KNOWN.store(1 + u8::from(is_wine), Ordering::Relaxed);
            is_wine
        }
        known => known == 2,
    }
}
