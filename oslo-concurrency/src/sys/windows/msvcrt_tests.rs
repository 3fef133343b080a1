//! The lock of Python's fasteners, which is `msvcrt.locking` of one byte at the start of the file:
//! the same function of the C library.

use std::ffi::c_int;
use std::io;
use std::os::windows::ffi::OsStrExt;
use std::os::windows::io::AsRawHandle;
use std::path::Path;

use windows_sys::Win32::Foundation::{GetHandleInformation, HANDLE_FLAG_INHERIT};

use super::LockFile;
use crate::sys::types::Mode;

const O_RDWR: c_int = 2;
const O_APPEND: c_int = 8;
const O_CREAT: c_int = 0x100;
const S_IWRITE: c_int = 0x80;
const LK_UNLCK: c_int = 0;
const LK_NBLCK: c_int = 2;

unsafe extern "C" {
    fn _wopen(path: *const u16, flags: c_int, ...) -> c_int;
    fn _locking(descriptor: c_int, mode: c_int, bytes: i32) -> c_int;
    fn _close(descriptor: c_int) -> c_int;
}

/// A file that is locked as fasteners does.
struct Fasteners(c_int);

impl Fasteners {
    fn open(path: &Path) -> Self {
        let path: Vec<u16> = path.as_os_str().encode_wide().chain([0]).collect();
        // SAFETY: the path ends in NUL; a file that is created takes a mode.
        let file = unsafe { _wopen(path.as_ptr(), O_RDWR | O_APPEND | O_CREAT, S_IWRITE) };
        assert_ne!(file, -1, "{}", io::Error::last_os_error());
        Fasteners(file)
    }

    fn try_lock(&self) -> bool {
        // SAFETY: the descriptor is open.
        unsafe { _locking(self.0, LK_NBLCK, 1) == 0 }
    }

    fn unlock(&self) {
        // SAFETY: as above.
        assert_eq!(unsafe { _locking(self.0, LK_UNLCK, 1) }, 0);
    }
}

impl Drop for Fasteners {
    fn drop(&mut self) {
        // SAFETY: the descriptor is open and used no more.
        unsafe { _close(self.0) };
    }
}

#[test]
fn fasteners_and_these_locks_exclude_each_other() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("lock");
    let python = Fasteners::open(&path);
    let ours = LockFile::open(&path).unwrap();
    assert!(python.try_lock());
    assert!(!ours.try_lock(Mode::Exclusive).unwrap());
    assert!(!ours.try_lock(Mode::Shared).unwrap());
    python.unlock();
    for mode in [Mode::Exclusive, Mode::Shared] {
        assert!(ours.try_lock(mode).unwrap());
        assert!(!python.try_lock());
        ours.unlock();
    }
    assert!(python.try_lock());
    drop(python);
    assert!(ours.try_lock(Mode::Exclusive).unwrap());
}

#[test]
fn the_handle_of_a_lock_file_is_not_inherited() {
    let directory = tempfile::tempdir().unwrap();
    let file = LockFile::open(&directory.path().join("lock")).unwrap();
    let mut flags = HANDLE_FLAG_INHERIT;
    // SAFETY: the handle is open, and the number is valid for the call.
    let found = unsafe { GetHandleInformation(file.handle().as_raw_handle(), &mut flags) };
    assert_ne!(found, 0);
    assert_eq!(flags & HANDLE_FLAG_INHERIT, 0);
}
