//! Results of a trial: one model for `stress` and `explore`, from which every exporter in
//! [`report`](crate::report) makes its text.
//!
//! Its JSON is the public format; `docs/reference/report.md` describes it.

use std::borrow::Cow;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use serde::{Deserialize, Serialize};

use super::{Role, Scenario, Snapshot, Verdict};

/// The version of the JSON. It grows when a field is removed or changes its meaning, not when one
/// is added.
pub const SCHEMA: u32 = 2;

/// The command that made a report.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Command {
    /// `cargo lockutils stress`.
    Stress,
    /// `cargo lockutils explore`.
    Explore,
}

impl Command {
    /// Its name on the command line.
    pub fn word(self) -> &'static str {
        match self {
            Command::Stress => "stress",
            Command::Explore => "explore",
        }
    }
}

/// The result of trying one lock in one or more scenarios.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Report {
    /// [`SCHEMA`].
    pub schema: u32,
    /// Version of the tool.
    pub tool: Cow<'static, str>,
    /// The command that made it.
    pub command: Command,
    /// The lock under test.
    pub lock: Lock,
    /// Seed of every random choice, in the form that the command line takes.
    pub seed: String,
    /// Number of competing workers.
    pub workers: usize,
    /// Number of threads of the worker in the scenario `threads`; `stress` only.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub threads: Option<usize>,
    /// Maximum duration of a section, in milliseconds; `stress` only.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub hold_ms: Option<f64>,
    /// The lock's own lease, in milliseconds, if one was given.
    pub lease_ms: Option<f64>,
    /// Start of the run, in seconds since 1970.
    pub began_unix: u64,
    /// Duration of the run.
    pub seconds: f64,
    /// `true` if the run was interrupted.
    pub interrupted: bool,
    /// The worst verdict among the scenarios that count.
    pub verdict: Verdict,
    /// Exit status of the command.
    pub exit_status: u8,
    /// The part of the search that was run, such as `3/16`; `explore --shard` only.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub shard: Option<String>,
    /// The reports from which this one was merged.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub merged: Vec<Part>,
    /// One for each scenario.
    pub outcomes: Vec<Outcome>,
}

/// A report that was merged with others.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Part {
    /// Its seed.
    pub seed: String,
    /// Its part of the search, such as `3/16`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub shard: Option<String>,
    /// Start of its run, in seconds since 1970.
    pub began_unix: u64,
    /// Duration of its run.
    pub seconds: f64,
    /// Its verdict.
    pub verdict: Verdict,
}

/// The conditions of a trial, for its report.
#[derive(Clone, Debug)]
pub struct Conditions {
    /// Seed of every random choice.
    pub seed: u64,
    /// Number of competing workers.
    pub workers: usize,
    /// Number of threads in the scenario `threads`; `stress` only.
    pub threads: Option<usize>,
    /// Longest section; `stress` only.
    pub hold: Option<Duration>,
    /// The lock's own lease, if one was given.
    pub lease: Option<Duration>,
    /// The part of the search to run; `explore` only.
    pub shard: Option<String>,
}

/// The moment at which a run began.
#[derive(Clone, Copy, Debug)]
pub struct Began {
    at: Instant,
    unix: u64,
}

impl Began {
    /// This moment.
    pub fn now() -> Self {
        let unix = SystemTime::now().duration_since(UNIX_EPOCH);
        Began {
            at: Instant::now(),
            unix: unix.map_or(0, |time| time.as_secs()),
        }
    }
}

impl Report {
    /// The report of a run that ends now.
    pub fn new(
        command: Command,
        lock: Lock,
        conditions: &Conditions,
        began: Began,
        verdict: Verdict,
        interrupted: bool,
        outcomes: Vec<Outcome>,
    ) -> Self {
        let milliseconds = |time: Duration| time.as_secs_f64() * 1e3;
        Report {
            schema: SCHEMA,
            tool: env!("CARGO_PKG_VERSION").into(),
            command,
            lock,
            seed: format!("{:#x}", conditions.seed),
            workers: conditions.workers,
            threads: conditions.threads,
            hold_ms: conditions.hold.map(milliseconds),
            lease_ms: conditions.lease.map(milliseconds),
            began_unix: began.unix,
            seconds: began.at.elapsed().as_secs_f64(),
            interrupted,
            verdict,
            exit_status: verdict.exit_status_if(interrupted),
            shard: conditions.shard.clone(),
            merged: Vec::new(),
            outcomes,
        }
    }
}

/// The lock under test.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Lock {
    /// `worker`, `wrapper` or `builtin`.
    pub kind: Cow<'static, str>,
    /// For a headline.
    pub title: String,
    /// As on the command line, quoted for a shell.
    pub arguments: String,
    /// Capabilities that the worker listed on its line `ready`.
    pub offers: Vec<Cow<'static, str>>,
}

/// The result of one scenario.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Outcome {
    /// The scenario.
    pub scenario: Scenario,
    /// Description of the scenario.
    pub meaning: Cow<'static, str>,
    /// `true` if it affects the exit status.
    pub counts: bool,
    /// `true` if every lock promises to survive it; otherwise it is a hazard.
    pub promise: bool,
    /// The verdict.
    pub verdict: Verdict,
    /// The reason for *not known*, the waiter that is stuck, or the wrong answer.
    pub reason: Option<String>,
    /// Duration, without the start of the workers.
    pub seconds: f64,
    /// Errors of the library or of the worker.
    pub errors: Vec<Quoted>,
    /// Other observations.
    pub notes: Vec<Quoted>,
    /// Extent of the trial and its evidence.
    #[serde(flatten)]
    pub evidence: Evidence,
    /// The command that runs it again: the scenario, or its counterexample. `None` if `explore`
    /// found nothing.
    pub again: Option<String>,
}

/// Extent of a trial and its evidence.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(untagged)]
pub enum Evidence {
    /// Under load.
    Load(Box<Load>),
    /// Under chosen interleavings.
    Search(Box<Search>),
}

/// The statistics of a load, its first overlap and its timeline.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub struct Load {
    /// Sections entered.
    pub sections: u64,
    /// Pairs of holds that overlapped.
    pub overlaps: u64,
    /// Pairs of which the first may have outlived its lease.
    pub expiries: u64,
    /// Refused tries.
    pub busy: u64,
    /// Timed acquires that timed out.
    pub timed_out: u64,
    /// Faults injected into the lock and its holders.
    pub faults: Vec<FaultCount>,
    /// From the request to the acquisition.
    pub waits: Option<Waits>,
    /// From a release to the next acquisition, while another worker waits.
    pub hand_overs: Option<Waits>,
    /// Jain's index of the sections of each slot.
    pub fairness: Option<f64>,
    /// Distribution of the waits.
    pub wait_histogram: Vec<Bucket>,
    /// The first time that two held the lock at once.
    pub first_overlap: Option<Overlap>,
    /// The events around it; otherwise those of the beginning, or of the end if the lock got stuck.
    pub timeline: Vec<Event>,
}

/// The extent of a search over interleavings, and what it found.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub struct Search {
    /// Number of workers in this scenario.
    pub workers: usize,
    /// Acquisitions per worker.
    pub rounds: usize,
    /// Search strategy.
    pub strategy: Cow<'static, str>,
    /// Schedules run.
    pub schedules: usize,
    /// Schedules cut short, because the rest was already known.
    pub known: usize,
    /// The part of the search space that was searched completely.
    pub complete: Option<String>,
    /// Schedules in which a lease may have expired.
    pub expiries: usize,
    /// Schedules in which a worker or a wrapper was killed; only in the scenarios for that.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub crashes: Option<usize>,
    /// Schedules in which all waiters polled in vain.
    pub polls: usize,
    /// Real time for which a dead holder was left before each schedule, in milliseconds.
    pub rest_ms: u64,
    /// The shortest schedule that breaks the lock or gets it stuck.
    pub counterexample: Option<Counterexample>,
}

/// A schedule that breaks the lock or gets it stuck.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Counterexample {
    /// The result, such as an overlap.
    pub ending: String,
    /// Number of context switches.
    pub switches: usize,
    /// Number of replays with the same result, out of `runs`.
    pub same: usize,
    /// Number of replays.
    pub runs: usize,
    /// The state before the first step, if the states were recorded.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub before: Option<Snapshot>,
    /// Step by step.
    pub steps: Vec<Step>,
    /// The index in `steps` of the step with which two workers are in the section.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub overlap: Option<usize>,
    /// The search for a schedule that does not break the lock, with one change to this one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub comparison: Option<Comparison>,
    /// The file in which it was saved, as given on the command line.
    pub file: String,
    /// The contents of that file without comments: input of `replay`.
    pub replay: String,
}

/// The search for the nearest schedule that does not break the lock.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Comparison {
    /// Number of schedules tried, each with one change to the counterexample.
    pub tried: usize,
    /// The nearest one that does not break the lock.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub nearest: Option<Nearest>,
}

/// A schedule that differs from a counterexample by one change and does not break the lock.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Nearest {
    /// The change, in a sentence.
    pub difference: String,
    /// Number of its first steps that are those of the counterexample.
    pub same: usize,
    /// The result.
    pub ending: String,
    /// The state before the first step.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub before: Option<Snapshot>,
    /// Step by step.
    pub steps: Vec<Step>,
}

/// One step of a counterexample.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Step {
    /// Name of the process.
    pub who: String,
    /// Number of the worker; `None` if it was not one.
    pub worker: Option<usize>,
    /// The step.
    pub what: String,
    /// The fault, if it is one that the scheduler chose: `crash` or `wrapper-kill`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub fault: Option<Cow<'static, str>>,
    /// Its meaning for the lock.
    pub means: String,
    /// `true` if the worker holds the lock after the step.
    pub inside: bool,
    /// The state after the step, if the states were recorded and it differs from the one before.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub after: Option<Snapshot>,
}

impl Outcome {
    /// A scenario of `stress` that did not run, for this reason.
    pub fn not_tried(scenario: Scenario, counts: bool, reason: String, again: String) -> Self {
        Outcome {
            scenario,
            meaning: scenario.meaning().into(),
            counts,
            promise: scenario.role() == Role::Promise,
            verdict: Verdict::NotKnown,
            reason: Some(reason),
            seconds: 0.0,
            errors: Vec::new(),
            notes: Vec::new(),
            evidence: Evidence::Load(Box::default()),
            again: Some(again),
        }
    }

    /// The statistics of its load; `None` if it was explored.
    pub fn load(&self) -> Option<&Load> {
        match &self.evidence {
            Evidence::Load(load) => Some(load),
            Evidence::Search(_) => None,
        }
    }

    /// The extent of its search; `None` if it was under load.
    pub fn search(&self) -> Option<&Search> {
        match &self.evidence {
            Evidence::Search(search) => Some(search),
            Evidence::Load(_) => None,
        }
    }

    /// The schedule that breaks the lock, if `explore` found one.
    pub fn counterexample(&self) -> Option<&Counterexample> {
        self.search()?.counterexample.as_ref()
    }
}

/// The number of injected faults of one kind.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct FaultCount {
    /// The fault, in the plural.
    pub name: Cow<'static, str>,
    /// Their number.
    pub count: u64,
}

/// A distribution of times, in microseconds.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Waits {
    /// Number of times.
    pub count: u64,
    /// The median.
    pub p50_us: f64,
    /// The 99th percentile.
    pub p99_us: f64,
    /// The longest.
    pub max_us: f64,
}

/// One bar of a histogram.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Bucket {
    /// Its upper bound.
    pub below_us: f64,
    /// Number of times in it.
    pub count: u64,
}

/// A message and its number of occurrences. Messages that differ only in digits are the same.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Quoted {
    /// The message.
    pub text: String,
    /// Number of occurrences.
    pub count: u64,
}

/// Two holders at once.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Overlap {
    /// Time of the second acquisition, in nanoseconds since the scenario began.
    pub at_ns: u64,
    /// For how long both held it, if that is known.
    pub both_ns: Option<u64>,
    /// `true` if the first may have outlived the lock's lease: then it is not a race.
    pub lease: bool,
    /// The first holder.
    pub first: Holder,
    /// The second holder.
    pub second: Holder,
}

/// One hold of an overlap.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Holder {
    /// Number of the worker.
    pub worker: usize,
    /// Its slot.
    pub slot: usize,
    /// Time of the acquisition, in nanoseconds since the scenario began.
    pub from_ns: u64,
    /// Time of the release or of the kill.
    pub until_ns: Option<u64>,
    /// `true` if it held the lock shared.
    pub shared: bool,
    /// `true` if it was stopped meanwhile.
    pub paused: bool,
}

/// An event of the timeline.
#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
pub struct Event {
    /// Time, in nanoseconds since the scenario began.
    pub at_ns: u64,
    /// Number of the worker.
    pub worker: usize,
    /// Its slot.
    pub slot: usize,
    /// Kind of the event.
    pub what: EventKind,
}

/// Kinds of events.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
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
