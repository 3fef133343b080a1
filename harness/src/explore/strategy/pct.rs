//! Probabilistic concurrency testing: random priorities, lowered at a few random steps (Burckhardt
//! et al., *A randomized scheduler with probabilistic guarantees of finding bugs*, ASPLOS 2010).
//! The length of a schedule is measured, not assumed.

use std::collections::HashMap;

use super::super::moves::Move;
use super::super::schedule::{Readiness, Step};
use super::faults::{FaultPoints, Length};
use super::scheduler::{Scheduler, Strategy};
use super::view::View;
use crate::model::Random;

/// Default number of priority changes in one schedule.
pub const CHANGES: usize = 3;

/// The strategy.
#[derive(Debug)]
pub struct Pct {
    random: Random,
    faults: Random,
    changes: usize,
    length: Length,
}

impl Pct {
    /// The strategy with this many priority changes in a schedule.
    pub fn new(seed: u64, changes: usize) -> Self {
        Pct {
            random: Random::new(seed),
            faults: Random::new(seed ^ 0xdead),
            changes,
            length: Length::new(),
        }
    }
}

impl Strategy for Pct {
    fn next(&mut self) -> Option<Box<dyn Scheduler>> {
        let at = (0..self.changes)
            .map(|_| self.random.below(self.length.get() as u64) as usize)
            .collect();
        Some(Box::new(Priorities {
            random: self.random.split(),
            priorities: Vec::new(),
            at,
            lowest: 0,
            entered: HashMap::new(),
            faults: FaultPoints::new(self.faults.split(), self.length.get()),
        }))
    }

    fn learn(&mut self, trace: &[Step]) {
        self.length.learn(trace.len());
    }
}

struct Priorities {
    random: Random,
    priorities: Vec<i64>,
    at: Vec<usize>,
    lowest: i64,
    /// Actors whose priority was lowered in the section, with the step at which they entered it.
    entered: HashMap<usize, usize>,
    faults: FaultPoints,
}

impl Scheduler for Priorities {
    fn choose(&mut self, view: &View<'_>) -> Option<Move> {
        let most = view
            .candidates
            .iter()
            .map(|candidate| candidate.actor)
            .max()
            .unwrap_or(0);
        while self.priorities.len() <= most {
            self.priorities
                .push(1 + self.random.below(1_000_000) as i64);
        }
        // A new holder comes last, which is not a priority change. Actors that are lowered later
        // come after it, so that they may meet it in the section.
        for candidate in view.candidates {
            if let Readiness::Holding { since } = candidate.readiness
                && self.entered.insert(candidate.actor, since) != Some(since)
            {
                self.lowest -= 1;
                self.priorities[candidate.actor] = self.lowest;
            }
        }
        loop {
            // Sleepers continue when no other actor can.
            let best = view.candidates.iter().max_by_key(|candidate| {
                (
                    candidate.readiness != Readiness::Yielded,
                    self.priorities[candidate.actor],
                )
            });
            let actor = best.map_or(0, |candidate| candidate.actor);
            match self.at.iter().position(|at| *at == view.at()) {
                Some(place) => {
                    self.at.swap_remove(place);
                    self.lowest -= 1;
                    self.priorities[actor] = self.lowest;
                }
                None => {
                    let fault = self.faults.due(view, actor);
                    return Some(fault.unwrap_or(Move::Step(actor)));
                }
            }
        }
    }
}
