//! The differences between processors: numbers of system calls, registers, and the instruction that
//! makes a call.
//!
//! Each processor is one file here, with the items that are re-exported below. `unsupported` has
//! them for all other processors, so that everything compiles; there a search fails with a message.

#[cfg(target_arch = "aarch64")]
mod aarch64;
mod legacy;
#[cfg(not(any(target_arch = "aarch64", target_arch = "x86_64")))]
mod unsupported;
#[cfg(target_arch = "x86_64")]
mod x86_64;

#[cfg(target_arch = "aarch64")]
use aarch64 as processor;
#[cfg(not(any(target_arch = "aarch64", target_arch = "x86_64")))]
use unsupported as processor;
#[cfg(target_arch = "x86_64")]
use x86_64 as processor;

pub use processor::{
    AUDIT_ARCH, Injection, LEGACY, SUPPORTED, answer_call, repeat_call, scratch, set_argument,
    stands_in_call,
};
