//! Linux.

mod cancel;
pub(crate) mod filesystem;
pub(crate) mod holders;
pub(crate) mod kernel_lock;
mod signals;
mod thread;
mod timer;

pub(crate) use cancel::Cancel;
pub(crate) use kernel_lock::Mode;
pub(crate) use thread::spawn;
pub(crate) use timer::TimerUnavailable;
