//! What the tests of this workspace share: processes that hold locks on demand, and a Python that has oslo.concurrency.

pub mod command;
pub mod conversation;
pub mod debian;
pub mod holder;
pub mod image_cache;
pub mod peers;
pub mod python;
pub mod sections;
#[cfg(feature = "ssh")]
pub mod sshd;
pub mod until;
pub mod upstream;
