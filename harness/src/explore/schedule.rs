//! A schedule is the list of who took the next step; a trace is what the steps were.

use crate::protocol::{Answer, Verb};

use super::strategy::Candidate;
use super::syscalls::{Call, Effect, Footprint};

/// One step of one actor.
#[derive(Clone, Debug)]
pub struct Step {
    /// Who.
    pub actor: usize,
    /// Which of its steps, from 0.
    pub nth: usize,
    pub what: What,
    /// What it said to the driver before its next step.
    pub answers: Vec<Answer>,
    /// Who could have taken it.
    pub candidates: Vec<Candidate>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum What {
    /// It was told to do this.
    Told(Verb),
    /// It made this call, with this result; the inode is that of the file that the call was about.
    Did {
        call: Call,
        result: i64,
        inode: Option<u64>,
    },
    /// A lock call would have waited.
    Waits { call: Call },
    /// It was told to leave.
    Leaves,
}

impl Step {
    /// How likely a delay before this step finds something; lower is likelier.
    pub fn promise(&self) -> u32 {
        match &self.what {
            What::Told(_) | What::Leaves => 5,
            What::Did { call, .. } | What::Waits { call } => call.effect.priority(),
        }
    }
}

impl Step {
    /// Whether it was a call that touches the lock.
    pub fn touches_the_lock(&self) -> bool {
        match &self.what {
            What::Did { call, .. } | What::Waits { call } => call.effect != Effect::Sleep,
            What::Told(_) | What::Leaves => false,
        }
    }

    /// What it has touched.
    pub fn effect(&self) -> Footprint {
        match &self.what {
            What::Told(_) | What::Leaves => Footprint::of_command(),
            What::Did { call, .. } | What::Waits { call } => {
                Footprint::of(call, !self.answers.is_empty())
            }
        }
    }
}

/// How often another actor went on than the one before.
pub fn switches(choices: &[usize]) -> usize {
    choices.windows(2).filter(|pair| pair[0] != pair[1]).count()
}

/// As `0*5 1*12 0`.
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

/// No run has more steps; a file that says so is refused before they fill the memory.
const MOST_STEPS: usize = 100_000;

/// The opposite of [`to_text`].
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

/// Runs of the same actor.
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
