//! Probabilistic concurrency testing: random priorities, lowered at a few random steps (Burckhardt et al., A randomized scheduler with probabilistic
//! guarantees of finding bugs, ASPLOS 2010). The length of a schedule is measured, not guessed.

use std::collections::HashMap;

use super::super::schedule::Step;
use super::{Chooser, Readiness, Strategy, View};
use crate::model::Random;

/// Changes of priority in one schedule.
pub const CHANGES: usize = 3;

/// See the module.
#[derive(Debug)]
pub struct Pct {
    random: Random,
    changes: usize,
    length: usize,
}

impl Pct {
    /// With so many changes of priority.
    pub fn new(seed: u64, changes: usize) -> Self {
        Pct {
            random: Random::new(seed),
            changes,
            length: 20,
        }
    }
}

impl Strategy for Pct {
    fn next(&mut self) -> Option<Box<dyn Chooser>> {
        let at = (0..self.changes)
            .map(|_| self.random.below(self.length as u64) as usize)
            .collect();
        Some(Box::new(Priorities {
            random: self.random.split(),
            priorities: Vec::new(),
            at,
            lowest: 0,
            entered: HashMap::new(),
        }))
    }

    fn learn(&mut self, trace: &[Step]) {
        self.length = (3 * self.length + trace.len()).div_ceil(4).max(4);
    }
}

struct Priorities {
    random: Random,
    priorities: Vec<i64>,
    at: Vec<usize>,
    lowest: i64,
    /// Since which step those are in the section that have been lowered for it.
    entered: HashMap<usize, usize>,
}

impl Chooser for Priorities {
    fn choose(&mut self, view: &View<'_>) -> Option<usize> {
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
        // Who has come into the section comes last, for nothing; but not after those who are lowered later, who may so come too late.
        for candidate in view.candidates {
            if let Readiness::Holding { since } = candidate.readiness
                && self.entered.insert(candidate.actor, since) != Some(since)
            {
                self.lowest -= 1;
                self.priorities[candidate.actor] = self.lowest;
            }
        }
        loop {
            // Who sleeps goes on when nobody else can.
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
                None => return Some(actor),
            }
        }
    }
}
