//! The shared parts of this workspace's tests: processes that hold locks on command, and a Python
//! with oslo.concurrency.

pub mod command;
pub mod conversation;
pub mod debian;
pub mod holder;
pub mod image_cache;
pub mod peers;
pub mod python;
pub mod sections;
pub mod servers;
#[cfg(feature = "ssh")]
pub mod sshd;
pub mod tooz;
pub mod until;
pub mod upstream;
