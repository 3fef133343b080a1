//! Random points for the faults of a schedule.

use super::super::moves::{Fault, Move};
use super::view::View;
use crate::model::Random;

/// Number of points that are drawn for a schedule. Those beyond the faults that it may have are not
/// used.
const POINTS: usize = 4;

/// The usual length of a schedule, measured.
#[derive(Clone, Copy, Debug)]
pub struct Length(usize);

impl Length {
    /// A first guess.
    pub fn new() -> Self {
        Length(20)
    }

    /// Records the length of a schedule.
    pub fn learn(&mut self, steps: usize) {
        self.0 = (3 * self.0 + steps).div_ceil(4).max(4);
    }

    /// The length in steps.
    pub fn get(self) -> usize {
        self.0
    }
}

/// The points of one schedule at which a fault is due.
#[derive(Debug)]
pub struct FaultPoints {
    random: Random,
    /// Numbers of steps, in ascending order.
    at: Vec<usize>,
}

impl FaultPoints {
    /// Random points in a schedule of this length.
    pub fn new(mut random: Random, length: usize) -> Self {
        let point = |_| random.below(length as u64) as usize;
        let mut at: Vec<usize> = (0..POINTS).map(point).collect();
        at.sort_unstable();
        FaultPoints { random, at }
    }

    /// The fault to choose instead of the next step of `actor`, if one is due: in half of all cases
    /// one that hits this actor.
    pub fn due(&mut self, view: &View<'_>, actor: usize) -> Option<Move> {
        let at = *self.at.first()?;
        let all: Vec<Fault> = view.faults.to_vec();
        if view.at() < at || all.is_empty() {
            return None;
        }
        self.at.remove(0);
        let hits_actor = |fault: &&Fault| fault.made.actor() == actor;
        let same = all.iter().find(hits_actor).copied();
        let fault = match same.filter(|_| self.random.once_in(2)) {
            Some(fault) => fault,
            None => self.random.choose(&all),
        };
        Some(fault.made)
    }
}
