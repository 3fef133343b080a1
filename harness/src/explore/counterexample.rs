//! The file of a counterexample.

use std::path::PathBuf;
use std::time::Duration;

use crate::workers::{LockUnderTest, UsageError};

use super::moves::{Move, from_text, to_text};
use super::story::{ending, story};
use super::trace::Trace;
use crate::model::Scenario;

/// A schedule with everything that a replay needs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Counterexample {
    /// The lock, as on the command line.
    pub lock: String,
    /// The scenario.
    pub scenario: Scenario,
    /// Number of competing workers.
    pub workers: usize,
    /// Acquisitions per worker.
    pub rounds: usize,
    /// The seed of the lock's name.
    pub seed: u64,
    /// The lock's lease, if it has one.
    pub lease: Option<Duration>,
    /// Real time for which a dead holder is left before the other workers begin.
    pub settle_time: Duration,
    /// Set if a replay must check in real time whether all workers wait in vain, which takes 12 s.
    pub patient: bool,
    /// The processor on which it was found, as in [`std::env::consts::ARCH`]; `None` in files of
    /// older versions.
    pub processor: Option<String>,
    /// The engine of a server that a replay starts, if the workers need one.
    pub servers: Option<String>,
    /// The address of a running server, if it was found with that.
    pub server: Option<String>,
    /// The moves of the scheduler.
    pub moves: Vec<Move>,
}

const FIRST_LINE: &str = "lockutils counterexample 1";

/// The reason why a file cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum FileError {
    /// The file is not a counterexample.
    #[error(
        "not a counterexample saved by `cargo lockutils explore`: the first line is not \
         `{FIRST_LINE}`"
    )]
    NotOurs,
    /// A line is missing or wrong.
    #[error("the line `{0}:` is missing or malformed")]
    Line(&'static str),
}

impl Counterexample {
    /// The text of the file, with the steps of `trace` as comments.
    pub fn to_text(&self, trace: &Trace) -> String {
        let lease = self.lease.map_or_else(String::new, |lease| {
            format!("lease: {}\n", lease.as_millis())
        });
        let rest = match self.settle_time.as_millis() {
            0 => String::new(),
            rest => format!("rest: {rest}\n"),
        };
        let patient = match self.patient {
            true => "patient: yes\n",
            false => "",
        };
        let processor = self
            .processor
            .as_ref()
            .map_or_else(String::new, |name| format!("processor: {name}\n"));
        let line = |name: &str, value: &Option<String>| {
            let value = value.as_ref();
            value.map_or_else(String::new, |value| format!("{name}: {value}\n"))
        };
        let servers = line("servers", &self.servers) + &line("server", &self.server);
        let story: String = story(trace)
            .lines()
            .map(|line| format!("# {line}\n"))
            .collect();
        let end = ending(trace).replace(['\n', '\r'], " ");
        let lock = if self.lock.contains(['\n', '\r']) {
            format!("lock-json: {}", serde_json::Value::from(&*self.lock))
        } else {
            format!("lock: {}", self.lock)
        };
        format!(
            "{FIRST_LINE}\n# {end}\n{lock}\nscenario: {}\nparties: {}\nrounds: {}\nseed: {:#x}\n\
             {lease}{rest}{patient}{processor}{servers}steps: {}\n{story}",
            self.scenario.word(),
            self.workers,
            self.rounds,
            self.seed,
            to_text(&self.moves)
        )
    }

    /// Reads the text of a file.
    ///
    /// # Errors
    /// Returns an error if it is not a counterexample or is damaged.
    pub fn from_text(text: &str) -> Result<Self, FileError> {
        if text.lines().next() != Some(FIRST_LINE) {
            return Err(FileError::NotOurs);
        }
        let field = |name: &'static str| {
            let prefix = format!("{name}: ");
            text.lines()
                .find_map(|line| line.strip_prefix(&prefix))
                .ok_or(FileError::Line(name))
        };
        let number = |name| {
            field(name)?
                .parse::<usize>()
                .map_err(|_| FileError::Line(name))
        };
        let few = |name| match number(name)? {
            number @ 1..100 => Ok(number),
            _ => Err(FileError::Line(name)),
        };
        let word = |name| match field(name) {
            Ok(word) if is_word(word) => Ok(Some(word.to_owned())),
            Ok(_) => Err(FileError::Line(name)),
            Err(_) => Ok(None),
        };
        let scenario = field("scenario")?;
        let seed = field("seed")?;
        Ok(Counterexample {
            lock: match field("lock-json") {
                Ok(json) => serde_json::from_str(json).map_err(|_| FileError::Line("lock-json"))?,
                Err(_) => field("lock")?.to_owned(),
            },
            scenario: Scenario::explorable()
                .find(|known| known.word() == scenario)
                .ok_or(FileError::Line("scenario"))?,
            workers: few("parties")?,
            rounds: few("rounds")?,
            seed: u64::from_str_radix(seed.trim_start_matches("0x"), 16)
                .map_err(|_| FileError::Line("seed"))?,
            lease: match field("lease") {
                Ok(_) => Some(Duration::from_millis(number("lease")? as u64)),
                Err(_) => None,
            },
            settle_time: match field("rest") {
                Ok(_) => Duration::from_millis(number("rest")? as u64),
                Err(_) => Duration::ZERO,
            },
            patient: match field("patient") {
                Ok("yes") => true,
                Ok(_) => return Err(FileError::Line("patient")),
                Err(_) => false,
            },
            processor: match field("processor") {
                Ok(name) if is_processor(name) => Some(name.to_owned()),
                Ok(_) => return Err(FileError::Line("processor")),
                Err(_) => None,
            },
            servers: word("servers")?,
            server: word("server")?,
            moves: from_text(field("steps")?).ok_or(FileError::Line("steps"))?,
        })
    }

    /// The processor on which it was found, if that is another one than this. Its steps are replayed
    /// here as long as the worker makes the same calls.
    pub fn other_processor(&self) -> Option<&str> {
        let processor = self.processor.as_deref();
        processor.filter(|name| *name != std::env::consts::ARCH)
    }

    /// The lock of the counterexample; `ours` is as in [`LockUnderTest::wrapper`].
    ///
    /// # Errors
    /// Returns an error if the lock cannot be found.
    pub fn lock(&self, ours: PathBuf) -> Result<LockUnderTest, UsageError> {
        LockUnderTest::from_arguments(&self.lock, ours)
    }
}

fn is_word(text: &str) -> bool {
    !text.is_empty() && !text.contains(|c: char| c.is_whitespace() || c.is_control())
}

fn is_processor(name: &str) -> bool {
    let is_part = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'_';
    !name.is_empty() && name.bytes().all(is_part)
}

/// Properties of any text, for random tests and for the programs in `fuzz/`.
#[cfg(any(test, fuzzing))]
pub mod properties {
    use super::super::end::{End, FailureReason};
    use super::*;

    /// A text is rejected, or written back as it was read.
    pub fn counterexample(text: &str) {
        let example = match Counterexample::from_text(text) {
            Ok(example) => example,
            Err(FileError::NotOurs) => {
                assert_ne!(text.lines().next(), Some(FIRST_LINE));
                return;
            }
            Err(FileError::Line(name)) => {
                assert!(!name.is_empty());
                return;
            }
        };
        is_read_as_written(&example, text);
    }

    /// A counterexample is read as it was written, whatever the last message of a worker was.
    pub fn is_read_as_written(example: &Counterexample, why: &str) {
        let trace = Trace {
            steps: Vec::new(),
            end: End::Failed(FailureReason::NotReplaced(why.to_owned())),
            errors: Vec::new(),
            snapshots: Vec::new(),
        };
        let again = Counterexample::from_text(&example.to_text(&trace));
        assert_eq!(again.as_ref().ok(), Some(example), "{again:?}");
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::explore::End;

    #[test]
    fn a_file_is_read_as_it_was_written() {
        let example = Counterexample {
            lock: "-- sh 'my worker.sh' {dir}".into(),
            scenario: Scenario::Die,
            workers: 2,
            rounds: 1,
            seed: 0x5eed,
            lease: Some(Duration::from_secs(2)),
            settle_time: Duration::from_millis(2100),
            patient: true,
            processor: Some("aarch64".into()),
            servers: Some("redis".into()),
            server: Some("redis://db:6379".into()),
            moves: [0, 0, 1, 1, 1, 0].map(Move::Step).to_vec(),
        };
        let trace = Trace {
            steps: Vec::new(),
            end: End::Overlap {
                first: 0,
                second: 1,
            },
            errors: Vec::new(),
            snapshots: Vec::new(),
        };
        let text = example.to_text(&trace);
        assert_eq!(Counterexample::from_text(&text).unwrap(), example);
        let older = Counterexample::from_text(&text.replace("processor: aarch64\n", ""));
        let processor = None;
        assert_eq!(
            older.unwrap(),
            Counterexample {
                processor,
                ..example.clone()
            }
        );
        assert!(Counterexample::from_text(&text.replace("aarch64", "a b")).is_err());
        assert!(Counterexample::from_text("lock: x").is_err());
        assert!(Counterexample::from_text(&text.replace("steps: 0", "steps: x")).is_err());
        for lock in ["-- 'a\nseed: 0x1'", "-- 'a\r'", "\n", "", " -- a "] {
            let example = Counterexample {
                lock: lock.into(),
                ..example.clone()
            };
            properties::is_read_as_written(&example, "two\nlock: lines");
        }
    }

    #[test]
    fn a_file_with_more_steps_than_memory_is_refused() {
        let steps = "0*100000 ".repeat(10_000);
        let text = format!(
            "{FIRST_LINE}\nlock: x\nscenario: die\nparties: 2\nrounds: 1\nseed: 0\nsteps: {steps}\n"
        );
        assert!(matches!(
            Counterexample::from_text(&text),
            Err(FileError::Line("steps"))
        ));
    }
}
