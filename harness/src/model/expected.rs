//! Verdicts that somebody expects, as of a lock that is known to break under a hazard, beside those that were found.

use std::collections::BTreeMap;

use serde::Serialize;

use super::{Outcome, Report, Scenario, Verdict};

/// A card, under the name that the lock has in a configuration, and measured by what is expected of it.
#[derive(Clone, Debug, Serialize)]
pub struct CheckedReport {
    /// The name; none if the lock was given on the command line.
    pub name: Option<String>,
    /// What was expected.
    pub expectations: Vec<Expectation>,
    /// The card's, but that what was expected is no failure, and what was expected and did not come is one.
    pub exit_status: u8,
    /// What was found.
    pub card: Report,
}

/// One scenario of which a verdict was expected.
#[derive(Clone, Debug, Serialize)]
pub struct Expectation {
    /// Its name.
    pub scenario: &'static str,
    /// Any of these was right.
    pub expected: Vec<Verdict>,
    /// What came.
    pub found: Verdict,
    /// Whether it is one of them.
    pub met: bool,
}

impl Expectation {
    /// What was found of a scenario, beside what was expected of it.
    pub fn new(scenario: &'static str, expected: &[Verdict], found: Verdict) -> Self {
        Expectation {
            scenario,
            expected: expected.to_vec(),
            found,
            met: expected.contains(&found),
        }
    }

    /// As the command exits because of it: 0 if it is met. That a lock holds which was expected to break is a failure as well.
    pub fn exit_status(&self) -> u8 {
        match self.found {
            _ if self.met => 0,
            Verdict::Held | Verdict::LeaseExpired => 1,
            word => word.exit_status(),
        }
    }

    /// As `unlink: broken was expected, held was found`.
    pub fn sentence(&self) -> String {
        let expected: Vec<&str> = self.expected.iter().map(|word| word.word()).collect();
        format!(
            "{}: {} was expected, {} was found",
            self.scenario,
            expected.join(" or "),
            self.found.word()
        )
    }
}

impl CheckedReport {
    /// A lock of which nothing particular is expected.
    pub fn plain(card: Report) -> Self {
        CheckedReport {
            name: None,
            expectations: Vec::new(),
            exit_status: card.exit_status,
            card,
        }
    }

    /// A lock of a configuration.
    pub fn new(name: &str, card: Report, expect: &BTreeMap<Scenario, Vec<Verdict>>) -> Self {
        let expectations: Vec<Expectation> = expect
            .iter()
            .map(|(scenario, expected)| {
                let found = card
                    .outcomes
                    .iter()
                    .find(|outcome| outcome.scenario == scenario.word())
                    .map_or(Verdict::NotKnown, |outcome| outcome.verdict);
                Expectation::new(scenario.word(), expected, found)
            })
            .collect();
        let unexpected = card
            .outcomes
            .iter()
            .filter(|outcome| {
                outcome.counts
                    && outcome.verdict != Verdict::NotKnown
                    && !expect.keys().any(|s| s.word() == outcome.scenario)
            })
            .map(|outcome| outcome.verdict.exit_status());
        let nothing_ran = card
            .outcomes
            .iter()
            .all(|outcome| outcome.verdict == Verdict::NotKnown);
        let exit_status = worst(
            unexpected
                .chain(expectations.iter().map(Expectation::exit_status))
                .chain(nothing_ran.then_some(2))
                .chain((card.interrupted && card.exit_status > 100).then_some(card.exit_status)),
        );
        CheckedReport {
            name: Some(name.to_owned()),
            expectations,
            exit_status,
            card,
        }
    }

    /// The name, or what stands on the command line.
    pub fn title(&self) -> &str {
        self.name.as_deref().unwrap_or(&self.card.lock.title)
    }

    /// Whether this scenario lets the run fail, and whether somebody should look at it.
    pub fn rank(&self, outcome: &Outcome) -> Rank {
        let expectation = self
            .expectations
            .iter()
            .find(|expectation| expectation.scenario == outcome.scenario);
        match (expectation, outcome.verdict) {
            (Some(expectation), _) if expectation.met => Rank::Fine,
            (Some(_), _) => Rank::Failure,
            (None, Verdict::Held | Verdict::NotKnown) => Rank::Fine,
            (None, word) if outcome.counts && word.exit_status() != 0 => Rank::Failure,
            (None, _) => Rank::Notable,
        }
    }
}

/// How much a scenario matters.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Rank {
    Failure,
    Notable,
    Fine,
}

/// The exit status of several: what broke goes before what got stuck, that before an interruption, that before what could not be tried.
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
    use super::super::Lock;
    use super::*;

    pub fn card(verdicts: &[(Scenario, bool, Verdict)]) -> Report {
        let outcomes = verdicts
            .iter()
            .map(|(scenario, counts, verdict)| Outcome {
                verdict: *verdict,
                sections: 10,
                reason: None,
                ..Outcome::not_known(
                    *scenario,
                    *counts,
                    String::new(),
                    "cargo lockutils stress".into(),
                )
            })
            .collect();
        Report {
            schema: 1,
            tool: "0",
            lock: Lock {
                kind: "worker",
                title: "w".into(),
                arguments: "-- w".into(),
                offers: Vec::new(),
            },
            seed: "0x1".into(),
            processes: 4,
            threads: 4,
            hold_ms: 1.0,
            lease_ms: None,
            began_unix: 0,
            seconds: 1.0,
            interrupted: false,
            verdict: Verdict::Held,
            exit_status: 0,
            outcomes,
        }
    }

    fn status(verdicts: &[(Scenario, bool, Verdict)], expect: &[(Scenario, Verdict)]) -> u8 {
        let expect = expect
            .iter()
            .map(|(scenario, word)| (*scenario, vec![*word]))
            .collect();
        CheckedReport::new("l", card(verdicts), &expect).exit_status
    }

    #[test]
    fn what_is_expected_is_no_failure_and_what_is_not_is_one() {
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
