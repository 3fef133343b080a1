//! Wrappers are not available: there is no file that is a named pipe, and no link to this program
//! without rights of its own.

pub mod probe;
pub mod wrapper;
