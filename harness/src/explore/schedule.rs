//! Schedules: the actor of each step, and the steps themselves.

use crate::protocol::Answer;

use super::command::Command;
use super::syscalls::{Call, Effect, Footprint};

/// The readiness of an actor for its next step.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Readiness {
    /// It would continue by itself.
    Ready,
    /// It has been in the section since this step, and would stay for a while.
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
    /// The footprint of the step, as far as it is known in advance.
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

/// The content of a step.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Action {
    /// The actor received a command.
    Commanded(Command),
    /// The actor made this call; `inode` is that of the file that the call operated on.
    Called {
        call: Call,
        result: i64,
        inode: Option<u64>,
    },
    /// The actor tried this call, which would have waited for a lock.
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
    /// The rank of a delay before this step; the lowest rank is tried first.
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

    /// The footprint of the step.
    pub fn footprint(&self) -> Footprint {
        match self.action.call() {
            Some(call) => Footprint::of(call, !self.answers.is_empty()),
            None => Footprint::of_command(),
        }
    }
}

/// Number of context switches: steps by another actor than the previous one.
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

/// Maximum number of steps in a file, checked before they fill the memory.
const MOST_STEPS: usize = 100_000;

/// Parses the output of [`to_text`]; `None` for any other text.
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

/// Actors, each with the number of its consecutive steps.
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
