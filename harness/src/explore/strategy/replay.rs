//! The moves of a known schedule, then default steps.

use super::super::moves::Move;
use super::scheduler::Scheduler;
use super::view::View;

/// A scheduler that follows a known schedule.
#[derive(Debug)]
pub struct Replay {
    moves: std::collections::VecDeque<Move>,
    /// Number of moves that were not possible in their turn.
    pub strayed: usize,
}

impl Replay {
    /// A scheduler that makes these moves.
    pub fn new(moves: &[Move]) -> Self {
        Replay {
            moves: moves.iter().copied().collect(),
            strayed: 0,
        }
    }
}

impl Scheduler for Replay {
    fn choose(&mut self, view: &View<'_>) -> Option<Move> {
        while let Some(next) = self.moves.pop_front() {
            if view.allows(next) {
                return Some(next);
            }
            self.strayed += 1;
        }
        Some(Move::Step(view.by_default()))
    }
}
