//! `stress`: a lock under load and faults, and the judge of its holds.
//!
//! A [`LockUnderTest`](crate::workers::LockUnderTest) is started in several processes. A hold lasts
//! from the moment its `acquired` is read until its `release` is written, both on this process's
//! clock. So two holds that overlap are an error of the lock, whatever the workers' clocks show.
//! [`Trial`] runs one [`Scenario`](crate::model::Scenario) after the other and returns a
//! [`Report`](crate::model::Report).

mod choices;
pub(crate) mod judge;
mod load;
mod plan;
pub(crate) mod statistics;
mod timeline;
mod trial;

pub use plan::Options;
pub use trial::{Progress, Trial, TrialEvent, offers};
