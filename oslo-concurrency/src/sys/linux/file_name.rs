//! Limits of file names.

use std::ffi::{OsStr, OsString};
use std::os::unix::ffi::OsStrExt;

/// `NAME_MAX` of limits.h, in bytes.
pub(crate) const LONGEST_FILE_NAME: usize = 255;

pub(crate) fn start_of_file_name(name: &OsStr, length: usize) -> OsString {
    let bytes = name.as_bytes();
    OsStr::from_bytes(&bytes[..length.min(bytes.len())]).to_owned()
}
