//! Environment variables.

use std::ffi::{CStr, OsString};

pub(crate) fn environment_variable(name: &CStr) -> Option<OsString> {
    std::env::var_os(name.to_str().ok()?)
}
