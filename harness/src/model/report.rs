//! What a trial has shown: one data model, from which text, JSON, JUnit, HTML and the notes of GitHub are made.
//!
//! `docs/reference/report.md` describes the JSON for programs that read it.

use serde::Serialize;

use super::{Role, Scenario, Verdict};

/// The version of the JSON; it grows when a field changes its meaning or goes away, not when one is added.
pub const SCHEMA: u32 = 1;

/// Everything that one run has shown.
#[derive(Clone, Debug, Serialize)]
pub struct Report {
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
    pub verdict: Verdict,
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
    pub verdict: Verdict,
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
    pub faults: Vec<FaultCount>,
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
    pub fn not_known(scenario: Scenario, counts: bool, reason: String, again: String) -> Self {
        Outcome {
            scenario: scenario.word(),
            meaning: scenario.meaning(),
            counts,
            promise: scenario.role() == Role::Promise,
            verdict: Verdict::NotKnown,
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
pub struct FaultCount {
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
    pub what: EventKind,
}

/// What happened.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
#[allow(missing_docs, reason = "the words say it")]
pub enum EventKind {
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
