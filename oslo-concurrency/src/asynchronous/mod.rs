//! Acquires by tasks; feature `tokio`.

pub(crate) mod acquire;
pub(crate) mod kernel_wait;
