//! What an acquire by a task needs that one by a thread does not; feature `tokio`.

pub(crate) mod acquire;
pub(crate) mod kernel_wait;
