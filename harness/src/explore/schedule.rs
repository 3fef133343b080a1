//! A schedule is the list of those who take each next step; its steps are what they do then.

use crate::protocol::Answer;

use super::command::Command;
use super::syscalls::{Call, Effect, Footprint};

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

/// An actor that could take the next step: a worker, or the outsider that deletes files.
#[derive(Clone, Debug)]
pub struct Candidate {
    pub actor: usize,
    /// Number of steps that it has taken.
    pub nth: usize,
    pub readiness: Readiness,
    /// What the step would touch, as far as can be seen before.
    pub next: Footprint,
}

/// One step of one actor.
#[derive(Clone, Debug)]
pub struct Step {
    pub actor: usize,
    /// Number of steps that it had taken before.
    pub nth: usize,
    pub action: Action,
    /// Its answers before its next step.
    pub answers: Vec<Answer>,
    /// All actors that could have taken the step.
    pub candidates: Vec<Candidate>,
}

/// What a step consists of.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Action {
    /// A command was given to it.
    Commanded(Command),
    /// It made this call; `inode` is that of the file that the call was about.
    Called {
        call: Call,
        result: i64,
        inode: Option<u64>,
    },
    /// It tried this call, which would have waited for a lock.
    Blocked { call: Call },
}

impl Action {
    /// A call without a file.
    pub fn called(call: Call, result: i64) -> Self {
        Action::Called {
            call,
            result,
            inode: None,
        }
    }

    fn call(&self) -> Option<&Call> {
        match self {
            Action::Called { call, .. } | Action::Blocked { call } => Some(call),
            Action::Commanded(_) => None,
        }
    }
}

impl Step {
    /// The rank of a delay before this step; the lowest is tried first.
    pub fn priority(&self) -> u32 {
        const OF_COMMAND: u32 = 5;
        let call = self.action.call();
        call.map_or(OF_COMMAND, |call| call.effect.priority())
    }

    /// Returns `true` for a call that touches the lock.
    pub fn touches_the_lock(&self) -> bool {
        let call = self.action.call();
        call.is_some_and(|call| call.effect != Effect::Sleep)
    }

    /// What it has touched.
    pub fn footprint(&self) -> Footprint {
        match self.action.call() {
            Some(call) => Footprint::of(call, !self.answers.is_empty()),
            None => Footprint::of_command(),
        }
    }
}

/// Number of context switches: steps of another actor than the one before.
pub fn switches(choices: &[usize]) -> usize {
    choices.windows(2).filter(|pair| pair[0] != pair[1]).count()
}

/// The schedule as text, such as `0*5 1*12 0`.
pub fn to_text(choices: &[usize]) -> String {
    segments(choices)
        .into_iter()
        .map(|(actor, count)| match count {
            1 => actor.to_string(),
            count => format!("{actor}*{count}"),
        })
        .collect::<Vec<_>>()
        .join(" ")
}

/// The most steps in a file: more are refused before they fill the memory.
const MOST_STEPS: usize = 100_000;

/// Reads what [`to_text`] has written; `None` if it is something else.
pub fn from_text(text: &str) -> Option<Vec<usize>> {
    let mut choices = Vec::new();
    for word in text.split_whitespace() {
        let (actor, count) = word.split_once('*').unwrap_or((word, "1"));
        let (actor, count): (usize, usize) = (actor.parse().ok()?, count.parse().ok()?);
        if count > MOST_STEPS - choices.len() {
            return None;
        }
        choices.extend(std::iter::repeat_n(actor, count));
    }
    Some(choices)
}

/// Actors, each with the number of steps that it takes in a row.
pub fn segments(choices: &[usize]) -> Vec<(usize, usize)> {
    let mut segments: Vec<(usize, usize)> = Vec::new();
    for &actor in choices {
        match segments.last_mut() {
            Some((last, count)) if *last == actor => *count += 1,
            _ => segments.push((actor, 1)),
        }
    }
    segments
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_schedule_is_read_as_it_was_written() {
        let choices = vec![0, 0, 0, 1, 2, 2, 0];
        assert_eq!(to_text(&choices), "0*3 1 2*2 0");
        assert_eq!(from_text(&to_text(&choices)), Some(choices.clone()));
        assert_eq!(switches(&choices), 3);
        assert_eq!((from_text("0*x"), from_text("0*9999999999")), (None, None));
    }
}
