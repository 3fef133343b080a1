//! The operating system.

mod linux;

pub(crate) use linux::*;
