//! What a trial has shown: one data model, from which text, JSON, JUnit, HTML and the notes of GitHub are made.
//!
//! `docs/reference/report.md` describes the JSON for programs that read it.

mod expected;
mod github;
mod html;
mod junit;
mod text;

pub use expected::{Expectation, Judged, worst};
pub use github::{annotations, job_summary, workflow_command};
pub use html::html;
pub use junit::junit;
pub use text::{counted, headline, outcome_line, story, verdict_line};

use serde::Serialize;

/// The version of the JSON; it grows when a field changes its meaning or goes away, not when one is added.
pub const SCHEMA: u32 = 1;

/// Everything that one run has shown.
#[derive(Clone, Debug, Serialize)]
pub struct Card {
    /// [`SCHEMA`].
    pub schema: u32,
    /// The version of the tool.
    pub tool: &'static str,
    /// What was tried.
    pub lock: Lock,
    /// Of the random choices, as it is given on the command line.
    pub seed: String,
    /// Workers.
    pub processes: usize,
    /// Slots of one worker, where threads compete.
    pub threads: usize,
    /// The longest section that was asked for, in milliseconds.
    pub hold_ms: f64,
    /// The lease that was named, in milliseconds.
    pub lease_ms: Option<f64>,
    /// When the run began, in seconds since 1970.
    pub began_unix: u64,
    /// How long it took.
    pub seconds: f64,
    /// Whether somebody stopped it.
    pub interrupted: bool,
    /// The worst that counts.
    pub verdict: Word,
    /// As the command exits.
    pub exit_status: u8,
    /// One for each scenario.
    pub outcomes: Vec<Outcome>,
}

/// The lock under test.
#[derive(Clone, Debug, Serialize)]
pub struct Lock {
    /// `worker`, `wrapper` or `builtin`.
    pub kind: &'static str,
    /// For a headline.
    pub title: String,
    /// As it stands on the command line.
    pub arguments: String,
    /// What the worker said that it can do.
    pub offers: Vec<&'static str>,
}

/// A verdict, in one word or two.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Word {
    /// Nobody else was ever in, as far as was tried.
    Held,
    /// Two were in at once.
    Broken,
    /// Nobody gets the lock any more.
    Stuck,
    /// Somebody waits for ever while others get it.
    Starved,
    /// A holder that was stopped beyond the lock's lease was not alone; not a race.
    LeaseExpired,
    /// Refused although nobody held it, or a timed wait that ended early or late.
    WrongAnswer,
    /// Acquiring or releasing failed.
    Errors,
    /// Nothing can be said.
    NotKnown,
}

impl Word {
    /// All of them, from good to bad, and what is not known.
    pub const ALL: [Word; 8] = [
        Word::Held,
        Word::LeaseExpired,
        Word::Errors,
        Word::WrongAnswer,
        Word::Starved,
        Word::Stuck,
        Word::Broken,
        Word::NotKnown,
    ];

    /// As it stands in the JSON and in a configuration.
    pub fn word(self) -> &'static str {
        match self {
            Word::Held => "held",
            Word::Broken => "broken",
            Word::Stuck => "stuck",
            Word::Starved => "starved",
            Word::LeaseExpired => "lease-expired",
            Word::WrongAnswer => "wrong-answer",
            Word::Errors => "errors",
            Word::NotKnown => "not-known",
        }
    }

    /// For people.
    pub fn text(self) -> &'static str {
        match self {
            Word::Held => "held",
            Word::Broken => "BROKEN",
            Word::Stuck => "stuck",
            Word::Starved => "starved",
            Word::LeaseExpired => "lease expired",
            Word::WrongAnswer => "wrong answer",
            Word::Errors => "errors",
            Word::NotKnown => "not known",
        }
    }

    /// The exit status of a run whose worst verdict this is: 1 for safety, 3 for liveness, 2 if it could not be tried.
    pub fn exit_status(self) -> u8 {
        match self {
            Word::Held | Word::LeaseExpired => 0,
            Word::Broken => 1,
            Word::Stuck | Word::Starved | Word::WrongAnswer | Word::Errors => 3,
            Word::NotKnown => 2,
        }
    }

    /// The same of a run that somebody may have stopped: it has not shown that the lock holds, and exits as one that SIGINT has ended.
    pub fn exit_status_if(self, interrupted: bool) -> u8 {
        match self {
            Word::Held | Word::LeaseExpired | Word::NotKnown if interrupted => {
                128 + libc::SIGINT as u8
            }
            word => word.exit_status(),
        }
    }

    /// How bad it is, compared with the others.
    fn badness(self) -> u8 {
        match self {
            Word::NotKnown => 0,
            Word::Held => 1,
            Word::LeaseExpired => 2,
            Word::Errors => 3,
            Word::WrongAnswer => 4,
            Word::Starved => 5,
            Word::Stuck => 6,
            Word::Broken => 7,
        }
    }

    /// The same of a run in which something that was to be tried was not, or came to nothing.
    pub fn unless_not_known(self, something: bool) -> Word {
        match self {
            Word::Held | Word::LeaseExpired if something => Word::NotKnown,
            word => word,
        }
    }

    /// The worst of several; *not known* if there are none.
    pub fn worst(words: impl IntoIterator<Item = Word>) -> Word {
        words
            .into_iter()
            .max_by_key(|word| word.badness())
            .unwrap_or(Word::NotKnown)
    }
}

/// What one scenario has shown.
#[derive(Clone, Debug, Serialize)]
pub struct Outcome {
    /// Its name.
    pub scenario: &'static str,
    /// What happens in it.
    pub meaning: &'static str,
    /// Whether it counts for the exit status.
    pub counts: bool,
    /// Whether it is a promise of every lock; else it is a hazard.
    pub promise: bool,
    /// What it comes to.
    pub verdict: Word,
    /// Why nothing can be said, what is stuck, or which answer was wrong.
    pub reason: Option<String>,
    /// How long it ran, starting the workers left out.
    pub seconds: f64,
    /// How often a section was entered.
    pub sections: u64,
    /// Pairs that were in at once.
    pub overlaps: u64,
    /// Pairs of which the first may have outlived its lease.
    pub expiries: u64,
    /// Refused tries.
    pub busy: u64,
    /// Timed acquires that ran out of time.
    pub timed_out: u64,
    /// What was done to the lock and its holders.
    pub faults: Vec<Fault>,
    /// From asking to holding.
    pub waits: Option<Waits>,
    /// From one's release to the next one's acquisition, while somebody waited.
    pub hand_overs: Option<Waits>,
    /// Jain's index of the sections of each slot.
    pub fairness: Option<f64>,
    /// How often which wait was how long.
    pub wait_histogram: Vec<Bucket>,
    /// What the library or the worker got wrong.
    pub errors: Vec<Quoted>,
    /// What is worth knowing besides.
    pub notes: Vec<Quoted>,
    /// The first time that two were in.
    pub first_overlap: Option<Overlap>,
    /// What happened around it; else at the beginning, or at the end if it got stuck.
    pub timeline: Vec<Event>,
    /// The command that runs this scenario again.
    pub again: String,
}

impl Outcome {
    /// A scenario that did not run.
    pub fn not_known(
        scenario: crate::foreign::Scenario,
        counts: bool,
        reason: String,
        again: String,
    ) -> Self {
        Outcome {
            scenario: scenario.word(),
            meaning: scenario.meaning(),
            counts,
            promise: scenario.role() == crate::foreign::Role::Promise,
            verdict: Word::NotKnown,
            reason: Some(reason),
            seconds: 0.0,
            sections: 0,
            overlaps: 0,
            expiries: 0,
            busy: 0,
            timed_out: 0,
            faults: Vec::new(),
            waits: None,
            hand_overs: None,
            fairness: None,
            wait_histogram: Vec::new(),
            errors: Vec::new(),
            notes: Vec::new(),
            first_overlap: None,
            timeline: Vec::new(),
            again,
        }
    }
}

/// How often something was done.
#[derive(Clone, Debug, Serialize)]
pub struct Fault {
    /// What.
    pub name: &'static str,
    /// How often.
    pub count: u64,
}

/// Times, in microseconds.
#[derive(Clone, Debug, Serialize)]
pub struct Waits {
    /// How many.
    pub count: u64,
    /// Half were shorter.
    pub p50_us: f64,
    /// All but one in a hundred were shorter.
    pub p99_us: f64,
    /// The longest.
    pub max_us: f64,
}

/// One bar of a histogram.
#[derive(Clone, Debug, Serialize)]
pub struct Bucket {
    /// Its upper end.
    pub below_us: f64,
    /// How many.
    pub count: u64,
}

/// Something that was said, once, with how often.
#[derive(Clone, Debug, Serialize)]
pub struct Quoted {
    /// What.
    pub text: String,
    /// How often.
    pub count: u64,
}

/// Two in the section.
#[derive(Clone, Debug, Serialize)]
pub struct Overlap {
    /// When the second came in, in nanoseconds since the scenario began.
    pub at_ns: u64,
    /// For how long both were in, if it is known.
    pub both_ns: Option<u64>,
    /// Whether the first may have outlived the lock's lease: then it is no race.
    pub lease: bool,
    /// Who was in.
    pub first: Holder,
    /// Who came in as well.
    pub second: Holder,
}

/// One of the two.
#[derive(Clone, Debug, Serialize)]
pub struct Holder {
    /// The worker's number.
    pub worker: usize,
    /// Its slot.
    pub slot: usize,
    /// When it came in.
    pub from_ns: u64,
    /// When it was told to leave, or killed.
    pub until_ns: Option<u64>,
    /// Whether it shared the lock.
    pub shared: bool,
    /// Whether it had been stopped meanwhile.
    pub paused: bool,
}

/// One thing that happened.
#[derive(Clone, Copy, Debug, Serialize)]
pub struct Event {
    /// When, in nanoseconds since the scenario began.
    pub at_ns: u64,
    /// To which worker.
    pub worker: usize,
    /// To which slot of it.
    pub slot: usize,
    /// What.
    pub what: Happening,
}

/// What happened.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
#[allow(missing_docs, reason = "the words say it")]
pub enum Happening {
    Asked,
    Acquired,
    Busy,
    TimedOut,
    Releasing,
    Released,
    Error,
    Killed,
    Died,
    Paused,
    Resumed,
    Unlinked,
    Forked,
    Reopened,
    WrapperKilled,
    Removed,
    Left,
}
