//! Locks between the threads of one process.

#[cfg(feature = "tokio")]
mod polling;
mod queue;
#[cfg(test)]
mod queue_tests;
mod registry;
#[cfg(test)]
mod registry_tests;
#[cfg(feature = "tokio")]
pub(crate) mod section;
mod thread_id;
mod waiter;

pub(crate) use queue::QueueLock;
pub(crate) use registry::{Named, Registry};
#[cfg(feature = "tokio")]
pub(crate) use thread_id::new_task;
pub(crate) use thread_id::{Who, current as current_thread, forget_after_fork, who};
