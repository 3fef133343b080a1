//! The outcome of a search, for the report.

use crate::model::{
    Comparison, Counterexample, Evidence, Nearest, Outcome, Quoted, Role, Scenario,
    Search as Extent, Verdict,
};

use super::found::Found;
use super::moves::switches;
use super::neighbors::{Neighbors, common_steps};
use super::search::Search;
use super::story::{ending, lines};
use super::trace::Trace;

/// A counterexample as saved.
#[derive(Clone, Debug)]
pub struct Saved {
    /// The file.
    pub file: String,
    /// Its contents.
    pub text: String,
}

/// The outcome of `found`, whose counterexample was saved to `saved`.
pub fn outcome(search: &Search<'_>, found: &Found, saved: Option<Saved>) -> Outcome {
    let verdict = found.verdict();
    let again = saved
        .as_ref()
        .map(|saved| format!("cargo lockutils replay {}", saved.file));
    let counterexample = found.counterexample.as_ref().zip(saved);
    let counterexample = counterexample.map(|(trace, saved)| Counterexample {
        ending: ending(trace),
        switches: switches(&trace.moves()),
        same: found.replayed.0,
        runs: found.replayed.1,
        before: trace.snapshots.first().cloned(),
        steps: lines(trace),
        overlap: trace.overlap(),
        comparison: found
            .neighbors
            .as_ref()
            .map(|neighbors| comparison(trace, neighbors)),
        replay: input(&saved.text),
        file: saved.file,
    });
    let problem = found
        .problem
        .as_ref()
        .filter(|_| verdict != Verdict::NotKnown);
    let problem = problem.map(|problem| format!("a worker failed: {problem}"));
    let interrupted = (found.interrupted && found.schedules > 0)
        .then(|| "interrupted before the search was over".to_owned());
    let afresh = found.starts_afresh.as_ref();
    let afresh = afresh.map(|why| format!("workers start afresh for each schedule: {why}"));
    let strayed = (found.strayed > 0).then(|| {
        format!(
            "{} of {} schedules did not go as planned, since the workers do not make the same calls \
             each time",
            found.strayed, found.schedules
        )
    });
    let recovers = (found.recoveries > 0).then(|| {
        let lease = match search.lease {
            None => ": --lease explores what happens then",
            Some(_) => "",
        };
        format!(
            "in {} schedules, the lock was free again only some time after the crash{lease}",
            found.recoveries
        )
    });
    let spared = found.lacks_crashes().then(|| {
        let who = match found.scenario {
            Scenario::WrapperKill => "wrapper",
            _ => "worker",
        };
        format!("no {who} was killed: too few schedules were run")
    });
    let notes = problem.into_iter().chain(recovers).chain(interrupted);
    let notes = notes.chain(spared).chain(strayed).chain(afresh);
    Outcome {
        scenario: found.scenario,
        meaning: found
            .scenario
            .explored()
            .unwrap_or(found.scenario.meaning())
            .into(),
        counts: true,
        promise: found.scenario.role() == Role::Promise,
        verdict,
        reason: found.reason(),
        seconds: found.seconds,
        errors: found.errors.clone(),
        notes: notes.map(|text| Quoted { text, count: 1 }).collect(),
        evidence: Evidence::Search(Box::new(Extent {
            workers: found.workers,
            rounds: search.rounds,
            strategy: search.strategy.word().into(),
            schedules: found.schedules,
            known: found.known,
            crashes: found.crashes,
            complete: found.complete.clone(),
            expiries: found.expiries,
            polls: found.polls,
            rest_ms: found.settle_time.as_millis() as u64,
            counterexample,
        })),
        again,
    }
}

fn comparison(trace: &Trace, neighbors: &Neighbors) -> Comparison {
    let nearest = neighbors.nearest.as_ref();
    Comparison {
        tried: neighbors.tried,
        nearest: nearest.map(|neighbor| Nearest {
            difference: neighbor.difference.clone(),
            same: common_steps(trace, &neighbor.trace),
            ending: ending(&neighbor.trace),
            before: neighbor.trace.snapshots.first().cloned(),
            steps: lines(&neighbor.trace),
        }),
    }
}

/// The lines that `replay` needs, without comments.
fn input(text: &str) -> String {
    let lines = text.lines().filter(|line| !line.starts_with('#'));
    lines.map(|line| format!("{line}\n")).collect()
}
