//! Limits of file names.

use std::ffi::{OsStr, OsString};
use std::os::unix::ffi::OsStrExt;

/// Characters that part a path into names.
pub(crate) const SEPARATORS: &[char] = &['/'];

/// `NAME_MAX` of limits.h, in bytes.
pub(crate) const LONGEST_FILE_NAME: usize = 255;

pub(crate) fn start_of_file_name(name: &OsStr, length: usize) -> OsString {
    let bytes = name.as_bytes();
    OsStr::from_bytes(&bytes[..length.min(bytes.len())]).to_owned()
}

/// Every name without a separator and without NUL is a file name.
pub(crate) fn problem_with_file_name(_: &str) -> Option<&'static str> {
    None
}
