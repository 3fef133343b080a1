//! The line protocol, version 1, between the driver and its workers.
//!
//! `docs/reference/protocol.md` describes it for authors of workers.

pub mod serve;

use std::collections::BTreeSet;
use std::fmt;
use std::str::FromStr;

pub use crate::model::{Capabilities, Capability, Verb};

/// The answer of a slot.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Answer {
    /// The slot has acquired the lock, with its fencing token if the lock gives one.
    Acquired(Option<u64>),
    /// Another slot holds the lock.
    Busy,
    /// The lock was held for the whole time of the wait.
    TimedOut,
    /// The slot has released the lock.
    Released,
    /// The slot has removed the lock's files.
    Removed,
    /// The slot has performed a verb while holding the lock.
    Done,
    /// The slot does not know the verb.
    Unsupported,
    /// The library failed.
    Error(String),
    /// The library reports that the lock was lost while it was held; needs no request.
    Lost(String),
}

impl fmt::Display for Answer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Answer::Acquired(None) => f.write_str("acquired"),
            Answer::Acquired(Some(token)) => write!(f, "acquired {TOKEN}{token}"),
            Answer::Busy => f.write_str("busy"),
            Answer::TimedOut => f.write_str("timeout"),
            Answer::Released => f.write_str("released"),
            Answer::Removed => f.write_str("removed"),
            Answer::Done => f.write_str("done"),
            Answer::Unsupported => f.write_str("unsupported"),
            // Always one line, whatever the text of the library.
            Answer::Error(text) => write!(f, "error {}", text.replace('\n', " ")),
            Answer::Lost(text) => write!(f, "lost {}", text.replace('\n', " ")),
        }
    }
}

impl FromStr for Answer {
    type Err = ();

    fn from_str(text: &str) -> Result<Self, ()> {
        let (word, rest) = text.split_once(' ').unwrap_or((text, ""));
        let answer = match word {
            "error" => return Ok(Answer::Error(rest.trim().to_owned())),
            "lost" => return Ok(Answer::Lost(rest.trim().to_owned())),
            "acquired" if !rest.trim().is_empty() => {
                return token(rest.trim()).map(|token| Answer::Acquired(Some(token)));
            }
            "acquired" => Answer::Acquired(None),
            "busy" => Answer::Busy,
            "timeout" => Answer::TimedOut,
            "released" => Answer::Released,
            "removed" => Answer::Removed,
            "done" => Answer::Done,
            "unsupported" => Answer::Unsupported,
            _ => return Err(()),
        };
        rest.trim().is_empty().then_some(answer).ok_or(())
    }
}

/// The word before a fencing token, as in `acquired token=17`.
const TOKEN: &str = "token=";

fn token(text: &str) -> Result<u64, ()> {
    let digits = text.strip_prefix(TOKEN).ok_or(())?;
    // `parse` would accept a sign.
    match digits.bytes().all(|byte| byte.is_ascii_digit()) {
        true => digits.parse().map_err(drop),
        false => Err(()),
    }
}

/// A line that a worker wrote.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Line {
    /// The worker is ready; words that are no capabilities are listed.
    Ready(Capabilities, Vec<String>),
    /// The answer of a slot.
    Answer(usize, Answer),
    /// Not a line of the protocol.
    Garbage(String),
}

/// The beginning of a line that is not of the protocol, in quotes.
#[cfg(feature = "stress")]
pub(crate) fn excerpt(line: &str) -> String {
    const LONGEST: usize = 100;
    match line.char_indices().nth(LONGEST) {
        Some((end, _)) => format!("{:?}…", &line[..end]),
        None => format!("{line:?}"),
    }
}

impl Line {
    /// Parses a line, without its end.
    pub fn parse(line: &str) -> Self {
        let line = line.trim_end_matches('\r');
        let (first, rest) = line.split_once(' ').unwrap_or((line, ""));
        if first == "ready" {
            let (mut known, mut unknown) = (BTreeSet::new(), Vec::new());
            for word in rest.split_whitespace() {
                match Capability::ALL.into_iter().find(|c| c.word() == word) {
                    Some(capability) => drop(known.insert(capability)),
                    None => unknown.push(word.to_owned()),
                }
            }
            return Line::Ready(known.into_iter().collect(), unknown);
        }
        match (first.parse(), rest.parse()) {
            (Ok(slot), Ok(answer)) => Line::Answer(slot, answer),
            _ => Line::Garbage(line.to_owned()),
        }
    }
}

/// Properties of the parser, for random tests and for the programs in `fuzz/`.
#[cfg(any(test, fuzzing))]
pub mod properties {
    use super::*;

    /// Each line is garbage or round-trips, and so does each request.
    pub fn protocol(text: &str) {
        text.split('\n').for_each(line);
    }

    fn line(text: &str) {
        if let Ok(verb) = text.parse::<Verb>() {
            assert_eq!(verb.to_string().parse(), Ok(verb));
        }
        let read = Line::parse(text);
        match &read {
            Line::Ready(all, unknown) => {
                let line = [vec![all.to_string()], unknown.clone()].concat().join(" ");
                assert_eq!(Line::parse(&line), read, "{line:?}");
            }
            Line::Answer(slot, answer) => {
                assert_eq!(Line::parse(&format!("{slot} {answer}")), read);
            }
            Line::Garbage(_) => {}
        }
        assert!(excerpt(text).lines().count() == 1);
    }

    /// An answer is one line, whatever the text of the library.
    pub fn answer(slot: usize, why: &str) {
        for answer in [Answer::Error(why.to_owned()), Answer::Lost(why.to_owned())] {
            let line = format!("{slot} {answer}");
            assert!(!line.contains('\n'), "{line:?}");
            let read = Line::parse(&line);
            assert_eq!(read, Line::parse(&read_again(&read)), "{line:?}");
            let same_kind = matches!(
                (&read, &answer),
                (Line::Answer(at, Answer::Error(_)), Answer::Error(_)) if *at == slot)
                || matches!(
                    (&read, &answer),
                    (Line::Answer(at, Answer::Lost(_)), Answer::Lost(_)) if *at == slot
                );
            assert!(same_kind, "{line:?}: {read:?}");
        }
    }

    fn read_again(line: &Line) -> String {
        match line {
            Line::Answer(slot, answer) => format!("{slot} {answer}"),
            other => format!("{other:?}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn requests_and_answers_round_trip() {
        for verb in [
            Verb::Acquire,
            Verb::Try,
            Verb::AcquireTimeout(20),
            Verb::Read,
            Verb::TryRead,
            Verb::Release,
            Verb::Remove,
            Verb::ForkRelease,
            Verb::ForkExit,
            Verb::Reopen,
            Verb::KillWrapper,
        ] {
            assert_eq!(verb.to_string().parse(), Ok(verb));
        }
        for answer in [
            Answer::Acquired(None),
            Answer::Acquired(Some(0)),
            Answer::Acquired(Some(u64::MAX)),
            Answer::Busy,
            Answer::TimedOut,
            Answer::Released,
            Answer::Removed,
            Answer::Done,
            Answer::Unsupported,
            Answer::Error("no such file".into()),
            Answer::Lost("the lease is over".into()),
        ] {
            let line = format!("3 {answer}");
            assert_eq!(Line::parse(&line), Line::Answer(3, answer));
        }
        for why in ["two\nlines", "one\r\n0 acquired", "\n", ""] {
            properties::answer(3, why);
        }
        let all: Capabilities = Capability::ALL.into_iter().collect();
        assert_eq!(Line::parse(&all.to_string()), Line::Ready(all, vec![]));
    }

    #[test]
    fn lines_outside_the_protocol_are_garbage() {
        for line in [
            "",
            "acquired",
            "0",
            "0 acquired now",
            "0 acquired token=",
            "0 acquired token=-1",
            "0 acquired token=+1",
            "0 acquired token=0x11",
            "0 acquired token=1 2",
            "0 acquired token=18446744073709551616",
            "0 busy token=1",
            "-1 busy",
            "Traceback",
            "readyish",
            "0  released",
        ] {
            assert_eq!(
                Line::parse(line),
                Line::Garbage(line.to_owned()),
                "{line:?}"
            );
        }
        assert!("acquire-timeout soon".parse::<Verb>().is_err());
        let (none, unknown) = (Capabilities::default(), vec!["teleport".to_owned()]);
        assert_eq!(Line::parse("ready teleport\r"), Line::Ready(none, unknown));
    }
}
