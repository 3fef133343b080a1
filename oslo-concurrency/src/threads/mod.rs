//! Locks between the threads of one process.

mod owner;
#[cfg(test)]
mod owner_tests;
#[cfg(feature = "tokio")]
mod polling;
mod queue;
#[cfg(test)]
mod queue_tests;
pub(crate) mod reader_writer;
mod registry;
#[cfg(test)]
mod registry_tests;
#[cfg(feature = "tokio")]
pub(crate) mod section;
mod waiter;

#[cfg(feature = "tokio")]
pub(crate) use owner::new_task;
pub(crate) use owner::{Owner, current as current_thread};
pub(crate) use queue::QueueLock;
pub(crate) use registry::{Named, Registry};
