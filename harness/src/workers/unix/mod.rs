//! Wrappers: named pipes between the worker and the command that the wrapper runs.

pub mod probe;
pub mod wrapper;
