//! The rules that a lock broke in a run, besides exclusion: by the checker of its history and by
//! the notes of the coordinator.

use std::fmt;
use std::time::Duration;

use crate::testing::checker::{self, Promises, Status};
use crate::testing::finding::Finding;
use crate::testing::forking::STACK;
use crate::testing::history::{Event, EventKind};
use crate::testing::witness::{Note, Witness};

use super::exercise::STARVED;

/// Tolerated, because the clocks of some locks tick in milliseconds.
const EARLY: Duration = Duration::from_millis(1);
/// Far longer than a loaded machine delays a thread; [`TIMES_WORSE`] times the longest delay of the
/// run is added.
const LATE: Duration = Duration::from_secs(2);
const OUT_OF_ORDER: Duration = Duration::from_millis(500);
const TIMES_WORSE: u32 = 20;

/// A rule that the lock broke, other than exclusion.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Violation {
    /// The name of the rule, as in [`StressReport::violations`](super::StressReport::violations).
    pub rule: String,
    /// The evidence: the workers, the times, the holder, the answer of the lock, and the events.
    pub evidence: String,
}

impl fmt::Display for Violation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.rule, self.evidence)
    }
}

/// The rules that can be judged in a run.
#[derive(Clone, Copy, Debug)]
pub(super) struct Rules {
    /// Copies of a lock may live on in a child, or its file may be removed: a refusal proves
    /// nothing.
    pub(super) lock_may_be_elsewhere: bool,
    /// Threads of one process are served in the order of their requests.
    pub(super) fair: bool,
}

pub(super) fn violations(witness: &Witness, rules: Rules) -> Vec<Violation> {
    let notes = witness.notes().all();
    let mut history = witness.history();
    // Once stuck workers have been killed, the answers to the others prove nothing.
    let killed = notes.iter().filter(|note| note.rule == STACK);
    if let Some(time) = killed.filter_map(time_of).min() {
        history.retain(|event| event.time <= time);
    }
    let mut found = Vec::new();
    let mut add = |rule: &str, evidence: String| {
        found.push(Violation {
            rule: rule.into(),
            evidence,
        });
    };
    if witness.lost() == 0 {
        let slack = witness.max_lateness() * TIMES_WORSE;
        let promises = Promises {
            earliness: EARLY,
            lateness: Some(LATE + slack),
            handover: (!rules.lock_may_be_elsewhere).then_some(LATE + slack),
            ..Promises::default()
        };
        let findings = checker::check(&history, &promises);
        if let Finding::Violated(story) = findings.timeouts {
            add("timeout", story);
        }
        if !rules.lock_may_be_elsewhere
            && let Some(story) = checker::lone_refusal(&history)
        {
            add("refused", story);
        }
        if let Finding::Violated(story) = findings.progress {
            add("handover", story);
        }
        if rules.fair {
            for story in out_of_order(&history, witness.shape().threads, OUT_OF_ORDER + slack) {
                add("order", story);
            }
        }
    }
    let is_held = Status::after(&history).is_held();
    for note in notes.iter().filter(|note| note.rule != STACK) {
        let Note { rule, text } = note;
        if rule == STARVED {
            let worker = text.split(' ').next().and_then(|name| name.parse().ok());
            let wait = worker.and_then(|worker| checker::longest_wait(&history, worker));
            add(rule, format!("worker {text}; {}", wait.unwrap_or_default()));
            continue;
        }
        if is_held {
            continue; // the holder keeps the others out
        }
        let given_up = given_up(&history);
        let rule = given_up.as_ref().map_or(rule.as_str(), |_| GIVEN_UP);
        let events = checker::last_of(&history);
        add(
            rule,
            format!("{text}{}{events}", given_up.unwrap_or_default()),
        );
    }
    if let Some(story) = stuck(&history, &notes) {
        add("stuck", story);
    }
    found
}

/// The stacks of stuck workers.
pub(super) fn stacks(witness: &Witness) -> Vec<String> {
    let notes = witness.notes().all();
    let stacks = notes.iter().filter(|note| note.rule == STACK);
    stacks
        .filter_map(|note| Some(note.text.split_once('\n')?.1.trim_matches('\n').to_owned()))
        .collect()
}

fn time_of(stack: &Note) -> Option<u64> {
    stack.text.split(' ').next()?.parse().ok()
}

const GIVEN_UP: &str = "given up";

/// The last wait that timed out, if that was shortly before the lock was found held by no worker.
fn given_up(history: &[Event]) -> Option<String> {
    const SHORTLY: usize = 400;
    let recent = history.len().saturating_sub(SHORTLY);
    let wait = history[recent..]
        .iter()
        .rfind(|event| event.kind == EventKind::TimedOut)?;
    let began = history[0].time;
    Some(format!(
        "\n    worker {} gave up its wait at {:.3} ms, shortly before: that wait seems to have \
         acquired the lock",
        wait.worker,
        (wait.time - began) as f64 / 1e6
    ))
}

/// Workers that did not return from the lock although no worker held it.
fn stuck(history: &[Event], notes: &[Note]) -> Option<String> {
    let stacks: Vec<(&str, &str)> = notes
        .iter()
        .filter(|note| note.rule == STACK)
        .filter_map(|note| note.text.split_once('\n'))
        .collect();
    let now = stacks
        .iter()
        .filter_map(|(names, _)| names.split(' ').next()?.parse().ok())
        .min()?;
    let status = Status::after(history);
    if status.is_held() {
        return None; // the holder keeps the others waiting
    }
    let mut clauses = status.pending(now);
    if clauses.is_empty() {
        return None;
    }
    clauses.push(status.holder(now));
    let is_free = stacks
        .iter()
        .any(|(names, _)| names.split(' ').nth(1) == Some("true"));
    if is_free {
        clauses.push("another process that tried it meanwhile acquired it at once".into());
    }
    let stacks: Vec<&str> = stacks.iter().map(|(_, stack)| *stack).collect();
    Some(format!(
        "{}{}{}",
        clauses.join("; "),
        checker::last_of(history),
        stacks.concat()
    ))
}

/// Evidence for each process whose threads were not served in the order of their requests.
fn out_of_order(history: &[Event], threads: usize, slack: Duration) -> Vec<String> {
    let processes = history
        .iter()
        .map(|event| event.worker as usize / threads)
        .max()
        .map_or(0, |last| last + 1);
    (0..processes)
        .filter_map(|process| {
            let own: Vec<Event> = history
                .iter()
                .filter(|event| event.worker as usize / threads == process)
                .copied()
                .collect();
            let promises = Promises {
                fifo: Some(slack),
                ..Promises::default()
            };
            match checker::check(&own, &promises).fifo {
                Finding::Violated(story) => Some(story),
                _ => None,
            }
        })
        .collect()
}
