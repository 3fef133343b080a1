//! Moves: what the scheduler chooses at a scheduling point.

use serde::{Deserialize, Serialize};

/// A choice of the scheduler.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub enum Move {
    /// The actor takes its next step.
    Step(usize),
    /// All processes of the worker are killed (SIGKILL).
    Crash(usize),
    /// Only the wrapper of the worker is killed; the command that it runs goes on.
    KillWrapper(usize),
    /// The leases of the worker on a server run out.
    Expire(usize),
}

/// Marks of the moves that are not steps, as in `0!`.
const CRASH: char = '!';
const KILL_WRAPPER: char = '~';
const EXPIRE: char = '%';

impl Move {
    /// The actor that moves, or the worker that the fault hits.
    pub fn actor(self) -> usize {
        match self {
            Move::Step(actor)
            | Move::Crash(actor)
            | Move::KillWrapper(actor)
            | Move::Expire(actor) => actor,
        }
    }

    /// Returns `true` for a move that no actor makes by itself.
    pub fn is_fault(self) -> bool {
        !matches!(self, Move::Step(_))
    }

    /// The move as text: the number of the actor, with a mark behind it if it is a fault.
    fn to_text(self) -> String {
        match self {
            Move::Step(actor) => actor.to_string(),
            Move::Crash(actor) => format!("{actor}{CRASH}"),
            Move::KillWrapper(actor) => format!("{actor}{KILL_WRAPPER}"),
            Move::Expire(actor) => format!("{actor}{EXPIRE}"),
        }
    }

    fn from_text(text: &str) -> Option<Self> {
        if let Some(actor) = text.strip_suffix(CRASH) {
            return actor.parse().ok().map(Move::Crash);
        }
        if let Some(actor) = text.strip_suffix(KILL_WRAPPER) {
            return actor.parse().ok().map(Move::KillWrapper);
        }
        if let Some(actor) = text.strip_suffix(EXPIRE) {
            return actor.parse().ok().map(Move::Expire);
        }
        text.parse().ok().map(Move::Step)
    }
}

/// A fault that the scheduler may choose at a scheduling point.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Fault {
    /// The move.
    pub made: Move,
    /// Number of steps that its actor has taken.
    pub nth: usize,
    /// Set unless the fault would have had the same effect before the last step of its actor.
    pub fresh: bool,
}

/// Number of context switches: steps by another actor than that of the previous step. Faults are
/// not steps.
pub fn switches(moves: &[Move]) -> usize {
    let steps: Vec<usize> = moves
        .iter()
        .filter(|made| !made.is_fault())
        .map(|made| made.actor())
        .collect();
    steps.windows(2).filter(|pair| pair[0] != pair[1]).count()
}

/// Number of faults.
pub fn faults(moves: &[Move]) -> usize {
    moves.iter().filter(|made| made.is_fault()).count()
}

/// The schedule as text, such as `0*5 0! 1*12`.
pub fn to_text(moves: &[Move]) -> String {
    segments(moves)
        .into_iter()
        .map(|(made, count)| match count {
            1 => made.to_text(),
            count => format!("{}*{count}", made.to_text()),
        })
        .collect::<Vec<_>>()
        .join(" ")
}

/// Maximum number of moves in a file, checked before they fill the memory.
const MOST_MOVES: usize = 100_000;

/// Parses the output of [`to_text`]; `None` for any other text.
pub fn from_text(text: &str) -> Option<Vec<Move>> {
    let mut moves = Vec::new();
    for word in text.split_whitespace() {
        let (made, count) = word.split_once('*').unwrap_or((word, "1"));
        let (made, count) = (Move::from_text(made)?, count.parse::<usize>().ok()?);
        if count > MOST_MOVES - moves.len() {
            return None;
        }
        moves.extend(std::iter::repeat_n(made, count));
    }
    Some(moves)
}

/// Moves, each with the number of times that it is made in a row.
pub fn segments(moves: &[Move]) -> Vec<(Move, usize)> {
    let mut segments: Vec<(Move, usize)> = Vec::new();
    for &made in moves {
        match segments.last_mut() {
            Some((last, count)) if *last == made => *count += 1,
            _ => segments.push((made, 1)),
        }
    }
    segments
}

#[cfg(test)]
mod tests {
    use proptest::collection::vec;
    use proptest::prelude::*;

    use super::*;

    fn any_move() -> impl Strategy<Value = Move> {
        (0..4_usize, 0..6).prop_map(|(actor, kind)| match kind {
            0 => Move::Crash(actor),
            1 => Move::KillWrapper(actor),
            2 => Move::Expire(actor),
            _ => Move::Step(actor),
        })
    }

    proptest! {
        #[test]
        fn a_schedule_is_read_as_it_was_written(moves in vec(any_move(), 0..40)) {
            prop_assert_eq!(from_text(&to_text(&moves)), Some(moves));
        }
    }

    #[test]
    fn the_text_names_actors_and_marks_faults() {
        use Move::{Crash, KillWrapper, Step};
        let moves = [
            Step(0),
            Step(0),
            Crash(0),
            Step(1),
            KillWrapper(2),
            Step(1),
            Step(2),
        ];
        assert_eq!(to_text(&moves), "0*2 0! 1 2~ 1 2");
        assert_eq!((switches(&moves), faults(&moves)), (2, 2));
        for text in ["0*x", "0*9999999999", "!", "0!!", "0?", "-1"] {
            assert_eq!(from_text(text), None, "{text}");
        }
    }
}
