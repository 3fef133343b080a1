//! The system calls that matter to a lock in a directory: one table, and everything that is derived
//! from it.
//!
//! `table` lists the calls. The seccomp filter, the decoder, the waits and the independence of
//! steps are all based on it; none of them contains the number or name of a call.

mod decode;
mod effect;
mod error;
mod footprint;
mod memory;
mod operation;
mod resources;
mod table;
mod wait;

pub use decode::{Call, decode};
pub use effect::Effect;
pub use footprint::Footprint;
pub use memory::is_first as is_first_thread;
pub use memory::{sent, write};
pub use operation::Operation;
pub use table::{Limit, Stops, SystemCall, TABLE};
pub use wait::{Wait, is_helper_nap, limit, wait};
