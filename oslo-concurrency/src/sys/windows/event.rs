//! Events, on which threads wait.

use std::io;
use std::os::windows::io::{AsRawHandle, FromRawHandle, OwnedHandle};
use std::ptr;

use windows_sys::Win32::Foundation::{FALSE, HANDLE, TRUE};
use windows_sys::Win32::System::Threading::CreateEventW;
#[cfg(any(test, feature = "tokio"))]
use windows_sys::Win32::System::Threading::SetEvent;

/// An event that stays set. No program that this one starts inherits it.
#[derive(Debug)]
pub(super) struct Event(OwnedHandle);

impl Event {
    pub(super) fn new() -> io::Result<Self> {
        // SAFETY: no attributes, no name.
        let event = unsafe { CreateEventW(ptr::null(), TRUE, FALSE, ptr::null()) };
        if event.is_null() {
            return Err(io::Error::last_os_error());
        }
        // SAFETY: the call has just made this handle, and no other code knows it.
        Ok(Event(unsafe { OwnedHandle::from_raw_handle(event) }))
    }

    #[cfg(any(test, feature = "tokio"))]
    pub(super) fn set(&self) {
        // SAFETY: the handle is open. The call cannot fail for an event.
        unsafe { SetEvent(self.handle()) };
    }

    pub(super) fn handle(&self) -> HANDLE {
        self.0.as_raw_handle()
    }
}
