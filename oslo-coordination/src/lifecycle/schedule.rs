//! The times of renewals.

use std::time::Duration;

use crate::clock::BootTime;

/// A lease is renewed when a third of it has passed, and late when two have.
const PARTS: u32 = 3;

/// The times of renewals of one hold.
#[derive(Debug)]
pub(crate) struct Schedule {
    pub(super) renew_at: BootTime,
    /// From then on a renewal that has not succeeded is worth a warning.
    pub(super) late_at: BootTime,
    pub(super) late: bool,
}

impl Schedule {
    /// For a lease that ends at `until`.
    pub(super) fn new(until: BootTime, lease: Duration) -> Self {
        Schedule {
            renew_at: until - lease / PARTS * 2,
            late_at: until - lease / PARTS,
            late: false,
        }
    }
}
