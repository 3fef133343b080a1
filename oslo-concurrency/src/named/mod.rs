//! Named locks: a lock between threads and a lock on a file, found by name and acquired together.

pub(crate) mod acquire;
pub(crate) mod lock_table;
pub(crate) mod long_wait;
