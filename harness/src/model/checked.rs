//! Reports checked against expected verdicts, for instance those of a lock that is known to break
//! under a hazard.

use std::collections::BTreeMap;

use serde::Serialize;

use super::{Outcome, Report, Scenario, Verdict};

/// A report under the lock's name in a configuration, checked against the expectations there.
#[derive(Clone, Debug, Serialize)]
pub struct CheckedReport {
    /// The name; `None` if the lock was given on the command line.
    pub name: Option<String>,
    /// The expectations.
    pub expectations: Vec<Expectation>,
    /// The exit status of the report, except that an expected verdict is not a failure and an unmet
    /// expectation is.
    pub exit_status: u8,
    /// The findings.
    pub report: Report,
}

/// An expected verdict beside the one that was found.
#[derive(Clone, Debug, Serialize)]
pub struct Expectation {
    /// The scenario.
    pub scenario: Scenario,
    /// Any of these meets the expectation.
    pub expected: Vec<Verdict>,
    /// The verdict that was found.
    pub found: Verdict,
    /// `true` if it is one of them.
    pub met: bool,
}

impl Expectation {
    fn new(scenario: Scenario, expected: &[Verdict], found: Verdict) -> Self {
        Expectation {
            scenario,
            expected: expected.to_vec(),
            found,
            met: expected.contains(&found),
        }
    }

    /// The exit status of the expectation: 0 if it is met. A lock that holds although it was
    /// expected to break is a failure as well.
    fn exit_status(&self) -> u8 {
        match self.found {
            _ if self.met => 0,
            Verdict::Held | Verdict::LeaseExpired => 1,
            verdict => verdict.exit_status(),
        }
    }

    /// A sentence such as `unlink: broken was expected, held was found`.
    pub fn sentence(&self) -> String {
        let expected: Vec<&str> = self.expected.iter().map(|one| one.word()).collect();
        format!(
            "{}: {} was expected, {} was found",
            self.scenario,
            expected.join(" or "),
            self.found.word()
        )
    }
}

impl CheckedReport {
    /// A report without expectations.
    pub fn plain(report: Report) -> Self {
        CheckedReport {
            name: None,
            expectations: Vec::new(),
            exit_status: report.exit_status,
            report,
        }
    }

    /// The report of a configured lock. If its scenarios were `named`, each of them must lead to a
    /// verdict; otherwise one of them suffices.
    pub fn new(
        name: &str,
        report: Report,
        expect: &BTreeMap<Scenario, Vec<Verdict>>,
        named: bool,
    ) -> Self {
        let found = |scenario: &Scenario| {
            let mut outcomes = report.outcomes.iter();
            let outcome = outcomes.find(|outcome| outcome.scenario == *scenario);
            outcome.map_or(Verdict::NotKnown, |outcome| outcome.verdict)
        };
        let expectations = expect
            .iter()
            .map(|(scenario, expected)| Expectation::new(*scenario, expected, found(scenario)))
            .collect();
        let mut checked = CheckedReport {
            name: Some(name.to_owned()),
            expectations,
            exit_status: 0,
            report,
        };
        checked.exit_status = checked.status(named);
        checked
    }

    fn status(&self, named: bool) -> u8 {
        let expected = self.expectations.iter().map(Expectation::exit_status);
        let unexpected = self
            .unexpected()
            .map(|outcome| outcome.verdict.exit_status());
        let interrupted = (self.report.interrupted && self.report.exit_status > 100)
            .then_some(self.report.exit_status);
        let not_known = self
            .is_not_known(named)
            .then_some(Verdict::NotKnown.exit_status());
        worst(
            expected
                .chain(unexpected)
                .chain(interrupted)
                .chain(not_known),
        )
    }

    /// Outcomes that count, have no expectation, and are known.
    fn unexpected(&self) -> impl Iterator<Item = &Outcome> {
        self.report.outcomes.iter().filter(|outcome| {
            outcome.counts
                && outcome.verdict != Verdict::NotKnown
                && self.expectation(outcome).is_none()
        })
    }

    /// `true` if no outcome that counts is known, or a named scenario's outcome is not. An outcome
    /// that was expected to be *not known* counts as known.
    fn is_not_known(&self, named: bool) -> bool {
        let met = |outcome: &Outcome| self.expectation(outcome).is_some_and(|one| one.met);
        let unknown = |outcome: &&Outcome| outcome.verdict == Verdict::NotKnown && !met(outcome);
        let all: Vec<&Outcome> = self.report.outcomes.iter().collect();
        let counted: Vec<&Outcome> = all.iter().copied().filter(|one| one.counts).collect();
        let decisive = if counted.is_empty() { &all } else { &counted };
        decisive.iter().all(unknown) || (named && counted.iter().any(unknown))
    }

    /// The expectation of this outcome, if there is one.
    pub fn expectation(&self, outcome: &Outcome) -> Option<&Expectation> {
        let mut all = self.expectations.iter();
        all.find(|expectation| expectation.scenario == outcome.scenario)
    }

    /// The expectation of this outcome, if there is one and it is not met.
    pub fn unmet(&self, outcome: &Outcome) -> Option<&Expectation> {
        self.expectation(outcome)
            .filter(|expectation| !expectation.met)
    }

    /// The reasons why the lock fails, a phrase for each: unmet expectations and unexpected
    /// verdicts.
    pub fn failures(&self) -> Vec<String> {
        let interrupted = self.report.interrupted && self.report.exit_status > 100;
        let unmet = self.expectations.iter().filter(|one| !one.met);
        let counted = || self.report.outcomes.iter().filter(|outcome| outcome.counts);
        let is_known = |outcome: &Outcome| outcome.verdict != Verdict::NotKnown;
        // If nothing is known, there is nothing to name.
        let some_known = counted().any(is_known);
        let failed = counted()
            .filter(|outcome| self.expectation(outcome).is_none())
            .filter(|outcome| {
                outcome.verdict.exit_status() != 0 && (some_known || is_known(outcome))
            })
            .map(|outcome| format!("{}: {}", outcome.scenario, outcome.verdict.word()));
        interrupted
            .then(|| "interrupted".to_owned())
            .into_iter()
            .chain(unmet.map(Expectation::sentence))
            .chain(failed)
            .collect()
    }

    /// The name, or the lock as on the command line.
    pub fn title(&self) -> &str {
        self.name.as_deref().unwrap_or(&self.report.lock.title)
    }

    /// The importance of this outcome to the reader.
    pub fn rank(&self, outcome: &Outcome) -> Rank {
        match (self.expectation(outcome), outcome.verdict) {
            (Some(expectation), _) if expectation.met => Rank::Fine,
            (Some(_), _) => Rank::Failure,
            (None, Verdict::Held | Verdict::NotKnown) => Rank::Fine,
            (None, verdict) if outcome.counts && verdict.exit_status() != 0 => Rank::Failure,
            (None, _) => Rank::Notable,
        }
    }
}

/// The importance of a scenario's outcome.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Rank {
    /// It fails the run.
    Failure,
    /// It does not fail the run, but is worth a look.
    Notable,
    /// Everything is as it should be.
    Fine,
}

/// The exit status of several reports: broken outranks stuck, which outranks an interruption, which
/// outranks a lock that could not be tried.
pub fn worst(statuses: impl IntoIterator<Item = u8>) -> u8 {
    let badness = |status: &u8| match status {
        0 => 0,
        2 => 1,
        1 => 4,
        3 => 3,
        _ => 2,
    };
    statuses.into_iter().max_by_key(badness).unwrap_or(0)
}

#[cfg(test)]
pub(crate) mod tests {
    use super::super::{Began, Command, Conditions, Evidence, Load, Lock};
    use super::*;

    pub fn report(verdicts: &[(Scenario, bool, Verdict)]) -> Report {
        let outcomes = verdicts
            .iter()
            .map(|(scenario, counts, verdict)| Outcome {
                verdict: *verdict,
                reason: None,
                evidence: Evidence::Load(Box::new(Load {
                    sections: 10,
                    ..Load::default()
                })),
                ..Outcome::not_tried(
                    *scenario,
                    *counts,
                    String::new(),
                    "cargo lockutils stress".into(),
                )
            })
            .collect();
        let lock = Lock {
            kind: "worker",
            title: "w".into(),
            arguments: "-- w".into(),
            offers: Vec::new(),
        };
        let conditions = Conditions {
            seed: 1,
            workers: 4,
            threads: Some(4),
            hold: None,
            lease: None,
        };
        let began = Began::now();
        let verdict = Verdict::Held;
        Report::new(
            Command::Stress,
            lock,
            &conditions,
            began,
            verdict,
            false,
            outcomes,
        )
    }

    fn status(verdicts: &[(Scenario, bool, Verdict)], expect: &[(Scenario, Verdict)]) -> u8 {
        let expect = expect
            .iter()
            .map(|(scenario, word)| (*scenario, vec![*word]))
            .collect();
        CheckedReport::new("l", report(verdicts), &expect, false).exit_status
    }

    #[test]
    fn expected_verdicts_are_no_failures_and_unexpected_ones_are() {
        use Scenario::{Contend, Die, Unlink};
        use Verdict::{Broken, Held, NotKnown, Stuck};
        for (found, expect, wanted) in [
            (vec![(Contend, true, Held)], vec![], 0),
            (vec![(Contend, true, Broken)], vec![], 1),
            (vec![(Contend, true, Broken)], vec![(Contend, Broken)], 0),
            (vec![(Contend, true, Held)], vec![(Contend, Broken)], 1),
            (vec![(Die, true, Stuck)], vec![(Die, Held)], 3),
            (vec![(Unlink, false, Broken)], vec![], 0),
            (vec![(Unlink, false, Broken)], vec![(Unlink, Held)], 1),
            (
                vec![(Contend, true, Held), (Die, true, NotKnown)],
                vec![],
                0,
            ),
            (
                vec![(Contend, true, Held), (Die, true, NotKnown)],
                vec![(Die, Held)],
                2,
            ),
            (vec![(Contend, true, NotKnown)], vec![], 2),
            (
                vec![(Die, true, Stuck), (Contend, true, Broken)],
                vec![(Die, Stuck)],
                1,
            ),
        ] {
            assert_eq!(status(&found, &expect), wanted, "{found:?} {expect:?}");
        }
    }

    #[test]
    fn the_worst_of_several_is_the_loudest() {
        assert_eq!(worst([0, 2, 3, 1, 130]), 1);
        assert_eq!(worst([0, 2, 3, 130]), 3);
        assert_eq!(worst([0, 2, 130]), 130);
        assert_eq!(worst([2, 0]), 2);
        assert_eq!(worst([]), 0);
    }
}
