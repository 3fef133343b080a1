//! How the next step is chosen: one strategy a file.

mod delays;
mod mix;
mod pct;
mod random;
mod replay;

use delays::Delays;
pub use mix::Mix;
use pct::Pct;
use random::RandomWalk;
pub use replay::Replay;

use super::schedule::Step;

/// How ready an actor is for its next step.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Readiness {
    /// It would go on by itself.
    Ready,
    /// It is in the section since this step, and would stay there for a while.
    Holding { since: usize },
    /// It sleeps, and nothing has happened since.
    Yielded,
}

/// One who could take the next step.
#[derive(Clone, Copy, Debug)]
pub struct Candidate {
    pub actor: usize,
    /// Which of its steps this would be.
    pub nth: usize,
    pub readiness: Readiness,
}

/// What is to be decided.
#[derive(Debug)]
pub struct View<'a> {
    /// Never empty.
    pub candidates: &'a [Candidate],
    /// Who took the last step.
    pub last: Option<usize>,
    /// Steps so far.
    pub at: usize,
}

impl View<'_> {
    pub fn find(&self, actor: usize) -> Option<&Candidate> {
        self.candidates
            .iter()
            .find(|candidate| candidate.actor == actor)
    }

    fn ready(&self) -> impl Iterator<Item = &Candidate> {
        self.candidates
            .iter()
            .filter(|candidate| candidate.readiness == Readiness::Ready)
    }

    /// The one who goes on when nobody interferes: the last one as long as it can, then the next in turn; those in the section leave it when
    /// nobody else can do anything, and those that sleep come last.
    pub fn by_default(&self) -> usize {
        let rank = |candidate: &&Candidate| match candidate.readiness {
            Readiness::Ready => 0,
            Readiness::Holding { .. } => 1,
            Readiness::Yielded => 2,
        };
        let last = self.last.unwrap_or(usize::MAX);
        // In turn: those after the last one first; the last one itself before all others of its rank.
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

/// Chooses the steps of one schedule.
pub trait Chooser {
    /// One of the candidates' actors.
    fn choose(&mut self, view: &View<'_>) -> usize;
}

/// Makes up schedules.
pub trait Strategy {
    /// The next one; nothing if all have been tried.
    fn next(&mut self) -> Option<Box<dyn Chooser>>;

    /// What came of the last one.
    fn learn(&mut self, _trace: &[Step]) {}
}
