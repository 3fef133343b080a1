//! The view of a schedule on which a scheduler bases its choice.

use super::super::moves::{Fault, Move};
use super::super::schedule::{Candidate, Readiness, Step};

/// The state of a schedule before its next step.
#[derive(Debug)]
pub struct View<'a> {
    /// All actors that can take the step; never empty.
    pub candidates: &'a [Candidate],
    /// All faults that may take its place.
    pub faults: &'a [Fault],
    /// The actor that took the last step.
    pub last: Option<usize>,
    /// All steps so far.
    pub steps: &'a [Step],
}

impl View<'_> {
    /// Number of steps so far.
    pub fn at(&self) -> usize {
        self.steps.len()
    }

    /// The candidate with this number.
    pub fn find(&self, actor: usize) -> Option<&Candidate> {
        let mut candidates = self.candidates.iter();
        candidates.find(|candidate| candidate.actor == actor)
    }

    /// Returns `true` if the move is possible now.
    pub fn allows(&self, made: Move) -> bool {
        match made {
            Move::Step(actor) => self.find(actor).is_some(),
            fault => self.faults.iter().any(|possible| possible.made == fault),
        }
    }

    /// The candidates that would continue by themselves.
    pub fn ready(&self) -> impl Iterator<Item = &Candidate> {
        let candidates = self.candidates.iter();
        candidates.filter(|candidate| candidate.readiness == Readiness::Ready)
    }

    /// The actor that continues without preemption: the last one as long as it can, then the next
    /// in turn. Holders leave the section when no other actor can do anything; sleepers come last.
    pub fn by_default(&self) -> usize {
        let rank = |candidate: &&Candidate| match candidate.readiness {
            Readiness::Ready => 0,
            Readiness::Holding { .. } => 1,
            Readiness::Yielded => 2,
        };
        let last = self.last.unwrap_or(usize::MAX);
        // In turn: first those after the last actor. Among equals, the last actor itself is first.
        let turn = |candidate: &&Candidate| match candidate.actor {
            actor if actor == last && rank(candidate) < 2 => (0, actor),
            actor if actor > last && last != usize::MAX => (1, actor),
            actor => (2, actor),
        };
        self.candidates
            .iter()
            .min_by_key(|candidate| (rank(candidate), turn(candidate)))
            .map_or(0, |candidate| candidate.actor)
    }
}
