//! Locks between the threads of one process.

mod queue;
mod registry;
#[cfg(test)]
mod registry_tests;
mod sync;
mod thread_id;
mod waiter;

pub(crate) use queue::QueueLock;
pub(crate) use registry::{Named, Registry};
pub(crate) use thread_id::current as current_thread;
