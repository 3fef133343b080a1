//! The differences between processors: numbers of system calls, registers, and the instruction that
//! makes a call.
//!
//! Each processor is one file here, with the items that are re-exported below. `unsupported` has
//! them for all other processors, so that everything compiles; there a search fails with a message.

mod legacy;
#[cfg(not(target_arch = "x86_64"))]
mod unsupported;
#[cfg(target_arch = "x86_64")]
mod x86_64;

#[cfg(not(target_arch = "x86_64"))]
use unsupported as processor;
#[cfg(target_arch = "x86_64")]
use x86_64 as processor;

pub use processor::{
    AUDIT_ARCH, Injection, LEGACY, SUPPORTED, repeat_call, set_argument, set_result, skip_call,
    stands_in_call,
};
