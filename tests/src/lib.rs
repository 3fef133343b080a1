//! What the tests of this workspace share: processes that hold locks on demand, and a Python that has oslo.concurrency.

pub mod conversation;
pub mod holder;
pub mod image_cache;
pub mod peers;
pub mod python;
pub mod sections;
pub mod until;
