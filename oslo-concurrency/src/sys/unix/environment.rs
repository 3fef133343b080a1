//! Environment variables, also in a forked child.

use std::ffi::{CStr, OsStr, OsString};
use std::os::unix::ffi::OsStrExt;

use crate::fork;

/// `std::env` takes a lock, which a forked child may have inherited locked; there, this asks the C
/// library.
pub(crate) fn environment_variable(name: &CStr) -> Option<OsString> {
    if fork::generation() == 1 {
        return std::env::var_os(OsStr::from_bytes(name.to_bytes()));
    }
    // SAFETY: the name is a C string. A child that changes its environment in one thread while
    // another reads it breaks the contract of std::env::set_var.
    let value = unsafe { libc::getenv(name.as_ptr()) };
    if value.is_null() {
        return None;
    }
    // SAFETY: not null, so it is a C string, which is copied before anything else can change it.
    let value = unsafe { CStr::from_ptr(value) };
    Some(OsStr::from_bytes(value.to_bytes()).to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_environment_is_read() {
        assert_eq!(environment_variable(c"PATH"), std::env::var_os("PATH"));
        assert_eq!(environment_variable(c"LOCKUTILS_NOT_SET"), None);
    }
}
