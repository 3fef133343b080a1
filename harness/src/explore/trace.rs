//! The steps of a schedule that was run, and its end.

use crate::model::{Snapshot, Verdict};

use super::end::{End, StuckReason};
use super::moves::Move;
use super::schedule::Step;

/// A schedule that was run.
#[derive(Clone, Debug)]
pub struct Trace {
    /// Its steps.
    pub(super) steps: Vec<Step>,
    /// The end of the schedule.
    pub end: End,
    /// Errors of the library.
    pub errors: Vec<String>,
    /// The states before the first step and after each, if they were recorded.
    pub(super) snapshots: Vec<Snapshot>,
}

impl Trace {
    /// Returns `true` if no worker got the lock in real time either.
    pub fn looked_in_real_time(&self) -> bool {
        matches!(self.end, End::Stuck(StuckReason::InRealTime { .. }))
    }

    /// Returns `true` if a worker or a wrapper was killed.
    pub fn has_fault(&self) -> bool {
        self.steps.iter().any(|step| step.made().is_fault())
    }

    /// The verdict on a lock whose search ends with this schedule.
    pub fn verdict(&self) -> Verdict {
        match self.end.verdict() {
            Verdict::Stuck if self.has_fault() => Verdict::StuckAfterCrash,
            verdict => verdict,
        }
    }

    /// The moves that make a schedule what it is. After the last crash, workers that wait in vain do
    /// so by themselves.
    pub(super) fn essential_moves(&self) -> Vec<Move> {
        let mut moves = self.moves();
        if let End::Stuck(_) | End::Polls(_) = self.end
            && let Some(last) = moves.iter().rposition(|made| made.is_fault())
        {
            moves.truncate(last + 1);
        }
        moves
    }

    /// The step with which two workers are in the section.
    pub(super) fn overlap(&self) -> Option<usize> {
        let End::Overlap { second, .. } = self.end else {
            return None;
        };
        self.steps
            .iter()
            .rposition(|step| step.actor == second && step.enters())
    }

    /// The choices of the scheduler.
    pub fn moves(&self) -> Vec<Move> {
        self.steps.iter().map(Step::made).collect()
    }
}
