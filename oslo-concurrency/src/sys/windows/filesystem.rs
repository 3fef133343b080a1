//! The file system of a path, for error messages.

use std::os::windows::ffi::OsStrExt;
use std::path::Path;
use std::ptr;

use windows_sys::Win32::Foundation::MAX_PATH;
use windows_sys::Win32::Storage::FileSystem::{GetVolumeInformationW, GetVolumePathNameW};

const LENGTH: usize = MAX_PATH as usize + 1;

/// The type as Windows names it (`NTFS`, `ReFS`, `FAT32`, …).
pub(crate) fn file_system_of(path: &Path) -> Option<String> {
    let path: Vec<u16> = path.as_os_str().encode_wide().chain([0]).collect();
    let mut root = [0; LENGTH];
    let mut name = [0; LENGTH];
    // SAFETY: the path and the root end in NUL, the buffers are as long as the calls are told, and
    // what is not asked for is null.
    let found = unsafe {
        GetVolumePathNameW(path.as_ptr(), root.as_mut_ptr(), LENGTH as u32) != 0
            && GetVolumeInformationW(
                root.as_ptr(),
                ptr::null_mut(),
                0,
                ptr::null_mut(),
                ptr::null_mut(),
                ptr::null_mut(),
                name.as_mut_ptr(),
                LENGTH as u32,
            ) != 0
    };
    let end = name.iter().position(|unit| *unit == 0)?;
    (found && end > 0).then(|| String::from_utf16_lossy(&name[..end]))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_temporary_folder_is_on_a_file_system() {
        assert!(file_system_of(&std::env::temp_dir()).is_some());
    }
}
