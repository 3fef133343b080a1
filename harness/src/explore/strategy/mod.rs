//! How the next step is chosen: one strategy a file.

mod delays;
mod depth_first;
mod mix;
mod pct;
mod random;
mod replay;

use delays::Delays;
use depth_first::DepthFirst;
use mix::Mix;
use pct::Pct;
use random::RandomWalk;
pub use replay::Replay;

use super::schedule::Step;
use super::syscalls::Footprint;

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
#[derive(Clone, Debug)]
pub struct Candidate {
    pub actor: usize,
    /// Which of its steps this would be.
    pub nth: usize,
    pub readiness: Readiness,
    /// What the step would touch, as far as one can see before.
    pub next: Footprint,
}

/// What is to be decided.
#[derive(Debug)]
pub struct View<'a> {
    /// Never empty.
    pub candidates: &'a [Candidate],
    /// Who took the last step.
    pub last: Option<usize>,
    /// So far.
    pub steps: &'a [Step],
}

impl View<'_> {
    /// How many steps there were.
    pub fn at(&self) -> usize {
        self.steps.len()
    }

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
    /// One of the candidates' actors; nothing if the rest of the schedule is not worth the time.
    fn choose(&mut self, view: &View<'_>) -> Option<usize>;
}

/// Makes up schedules.
pub trait Strategy {
    /// The next one; nothing if all have been tried.
    fn next(&mut self) -> Option<Box<dyn Chooser>>;

    /// What came of the last one.
    fn learn(&mut self, _trace: &[Step]) {}

    /// What has been tried without a gap, in words.
    fn complete(&self) -> Option<String> {
        None
    }
}

/// Which strategy is to be used.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Choice {
    /// Delays first, then all in turn.
    #[default]
    Mix,
    /// Up to three delays.
    Delays,
    /// Random priorities, changed three times.
    Pct,
    /// A random walk.
    Random,
    /// All interleavings, those with few preemptions first; of those that differ in the order of independent calls only, one.
    DepthFirst,
}

impl Choice {
    /// All of them.
    pub const ALL: [Choice; 5] = [
        Choice::Mix,
        Choice::Delays,
        Choice::Pct,
        Choice::Random,
        Choice::DepthFirst,
    ];

    /// As on the command line.
    pub fn word(self) -> &'static str {
        match self {
            Choice::Mix => "mix",
            Choice::Delays => "delays",
            Choice::Pct => "pct",
            Choice::Random => "random",
            Choice::DepthFirst => "depth-first",
        }
    }

    /// From this seed, if it is random.
    pub(super) fn strategy(self, seed: u64) -> Box<dyn Strategy> {
        match self {
            Choice::Mix => Box::new(Mix::new(seed)),
            Choice::Delays => Box::new(Delays::new(delays::MOST)),
            Choice::Pct => Box::new(Pct::new(seed, pct::CHANGES)),
            Choice::Random => Box::new(RandomWalk::new(seed)),
            Choice::DepthFirst => Box::new(DepthFirst::new()),
        }
    }
}
