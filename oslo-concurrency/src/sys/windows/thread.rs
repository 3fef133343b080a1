//! Threads: their numbers, names and start.

use std::cell::Cell;
use std::io;
use std::os::windows::io::{FromRawHandle, OwnedHandle};
use std::ptr;
use std::thread::Builder;

use windows_sys::Win32::Foundation::{FALSE, HANDLE, LocalFree};
use windows_sys::Win32::System::Threading::{
    GetCurrentThreadId, GetProcessIdOfThread, OpenThread, THREAD_QUERY_LIMITED_INFORMATION,
};
use windows_sys::core::{HRESULT, PWSTR};
use windows_sys::w;

use super::system::function;
use crate::sys::numbers::{id_in, number_for};
use crate::sys::types::ThreadInfo;

/// Enough for a subscriber; the default of std.
const STACK: usize = 2 << 20;
/// The lower bits of an id, which are always 0.
const ID_SHIFT: u32 = 2;

thread_local!(static NUMBER: Cell<u64> = const { Cell::new(0) });

#[inline]
pub(crate) fn current_thread() -> u64 {
    match NUMBER.get() {
        0 => new_number(),
        number => number,
    }
}

#[cold]
fn new_number() -> u64 {
    // SAFETY: takes no arguments and cannot fail.
    let number = number_for(unsafe { GetCurrentThreadId() } >> ID_SHIFT);
    NUMBER.set(number);
    number
}

pub(crate) fn thread_info(number: u64) -> ThreadInfo {
    let id = id_in(number) << ID_SHIFT;
    ThreadInfo {
        id: id.into(),
        name: name_of(id),
    }
}

/// The name of a thread of this process, or `None` if it has ended.
fn name_of(id: u32) -> Option<String> {
    // SAFETY: plain numbers.
    let handle = unsafe { OpenThread(THREAD_QUERY_LIMITED_INFORMATION, FALSE, id) };
    if handle.is_null() {
        return None;
    }
    // SAFETY: the call has just made this handle; it is open until the end of this function.
    let (_thread, process) = unsafe {
        (
            OwnedHandle::from_raw_handle(handle),
            GetProcessIdOfThread(handle),
        )
    };
    if process != std::process::id() {
        return None;
    }
    Some(description_of(handle).unwrap_or_else(|| "unnamed".into()))
}

/// The name that std has given to a thread, where Windows keeps it.
fn description_of(thread: HANDLE) -> Option<String> {
    type GetThreadDescription = unsafe extern "system" fn(HANDLE, *mut PWSTR) -> HRESULT;
    let get = function(w!("kernelbase.dll"), c"GetThreadDescription")?;
    let mut description = ptr::null_mut();
    // SAFETY: the function of this name has this type. The handle is open. The string ends in NUL,
    // and is freed once.
    let description = unsafe {
        let get =
            std::mem::transmute::<unsafe extern "system" fn() -> isize, GetThreadDescription>(get);
        if get(thread, &mut description) < 0 || description.is_null() {
            return None;
        }
        let length = (0..).take_while(|at| *description.add(*at) != 0).count();
        let name = String::from_utf16_lossy(std::slice::from_raw_parts(description, length));
        LocalFree(description.cast());
        name
    };
    (!description.is_empty()).then_some(description)
}

pub(crate) fn spawn(name: &str, run: impl FnOnce() + Send + 'static) -> io::Result<()> {
    let builder = Builder::new().name(name.to_owned()).stack_size(STACK);
    builder.spawn(run)?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_thread_is_shown_by_its_id_and_name() {
        let named = std::thread::Builder::new().name("reader".into());
        let shown = named.spawn(|| (current_thread(), thread_info(current_thread())));
        let (number, info) = shown.unwrap().join().unwrap();
        assert_eq!(info.name.as_deref(), Some("reader"));
        assert_ne!(number, current_thread());
        assert_eq!(thread_info(number).name, None, "it has ended");
        // SAFETY: takes no arguments and cannot fail.
        let id = unsafe { GetCurrentThreadId() };
        assert_eq!(thread_info(current_thread()).id, u64::from(id));
    }
}
