//! The life of an acquire and of a hold, the same for every engine.
//!
//! All requests are made by tasks of the coordinator's own thread; callers exchange messages with
//! them. So no request is cut off in the middle, whatever becomes of the caller.

mod acquire;
mod backoff;
mod busy;

mod hold;
mod limit;
mod log;
mod ownership;
mod race;
mod release;
mod renewal;
mod reply;
mod schedule;
mod state;
mod turns;

pub(crate) use acquire::{Failure, Request};
pub use hold::Hold;
pub(crate) use limit::Wait;
pub(crate) use ownership::{Lifeline, Ownership};
pub(crate) use race::{Either, race};
pub(crate) use reply::{Receiver, reply};
pub(crate) use state::{Core, Released};
