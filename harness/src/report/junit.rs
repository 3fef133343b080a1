//! JUnit's XML, as CI servers read it: one suite, one case for each scenario.

use std::time::Duration;

use quick_junit::{NonSuccessKind, Report as JunitReport, TestCase, TestCaseStatus, TestSuite};

use super::story;
use crate::model::Rank;
use crate::model::{CheckedReport, Outcome, Verdict};

/// The cards as JUnit's XML, a suite for each lock.
///
/// # Errors
/// If it cannot be written as XML.
pub fn junit(cards: &[CheckedReport]) -> Result<String, String> {
    let mut report = JunitReport::new("cargo-lockutils");
    for judged in cards {
        report.add_test_suite(suite(judged));
    }
    report.to_string().map_err(|error| error.to_string())
}

fn suite(judged: &CheckedReport) -> TestSuite {
    let card = &judged.card;
    let mut suite = TestSuite::new(match &judged.name {
        Some(name) => format!("cargo lockutils stress --lock {name}"),
        None => format!("cargo lockutils stress {}", card.lock.arguments),
    });
    for outcome in &card.outcomes {
        let mut case = TestCase::new(outcome.scenario, status(judged, outcome));
        case.set_classname(judged.title().to_owned());
        case.set_time(Duration::from_secs_f64(outcome.seconds.max(0.0)));
        if let Some(story) = story(outcome) {
            case.set_system_out(quick_junit::XmlString::new(story));
        }
        suite.add_test_case(case);
    }
    suite.add_property(("seed", card.seed.as_str()));
    suite
}

fn status(judged: &CheckedReport, outcome: &Outcome) -> TestCaseStatus {
    let found = match (&outcome.reason, outcome.overlaps + outcome.expiries) {
        (Some(reason), _) => reason.clone(),
        (None, 0) => outcome.verdict.text().to_owned(),
        (None, overlaps) => format!(
            "{}: {overlaps} overlaps in {} sections",
            outcome.verdict.text(),
            outcome.sections
        ),
    };
    let unmet = judged
        .expectations
        .iter()
        .find(|one| one.scenario == outcome.scenario && !one.met);
    match (judged.rank(outcome), outcome.verdict) {
        (Rank::Failure, word) => {
            let kind = match word {
                Verdict::Errors => NonSuccessKind::Error,
                _ => NonSuccessKind::Failure,
            };
            let message = match unmet {
                Some(expectation) => format!("{}; {found}", expectation.sentence()),
                None => found,
            };
            let mut status = TestCaseStatus::non_success(kind);
            status.set_type(word.text()).set_message(message);
            status
        }
        (_, Verdict::NotKnown) => {
            let mut status = TestCaseStatus::skipped();
            status.set_message(found);
            status
        }
        // Neither a hazard that does not count nor what was expected may turn CI red.
        _ => TestCaseStatus::success(),
    }
}
