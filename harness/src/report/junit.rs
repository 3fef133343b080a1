//! JUnit's XML, as CI servers read it: one suite, one case for each scenario.

use std::time::Duration;

use quick_junit::{NonSuccessKind, Report, TestCase, TestCaseStatus, TestSuite};

use super::{Card, Outcome, Word, story};

/// The card as JUnit's XML.
///
/// # Errors
/// If it cannot be written as XML.
pub fn junit(card: &Card) -> Result<String, String> {
    let mut suite = TestSuite::new(format!("cargo lockutils stress {}", card.lock.arguments));
    for outcome in &card.outcomes {
        let mut case = TestCase::new(outcome.scenario, status(outcome));
        case.set_classname(card.lock.title.clone());
        case.set_time(Duration::from_secs_f64(outcome.seconds.max(0.0)));
        if let Some(story) = story(outcome) {
            case.set_system_out(quick_junit::XmlString::new(story));
        }
        suite.add_test_case(case);
    }
    suite.add_property(("seed", card.seed.as_str()));
    let mut report = Report::new("cargo-lockutils");
    report.add_test_suite(suite);
    report.to_string().map_err(|error| error.to_string())
}

fn status(outcome: &Outcome) -> TestCaseStatus {
    let message = match (&outcome.reason, outcome.overlaps + outcome.expiries) {
        (Some(reason), _) => reason.clone(),
        (None, 0) => outcome.verdict.text().to_owned(),
        (None, overlaps) => format!(
            "{}: {overlaps} overlaps in {} sections",
            outcome.verdict.text(),
            outcome.sections
        ),
    };
    match outcome.verdict {
        Word::Held => TestCaseStatus::success(),
        Word::NotKnown => {
            let mut status = TestCaseStatus::skipped();
            status.set_message(message);
            status
        }
        word if outcome.counts && word.exit_status() != 0 => {
            let kind = match word {
                Word::Errors => NonSuccessKind::Error,
                _ => NonSuccessKind::Failure,
            };
            let mut status = TestCaseStatus::non_success(kind);
            status.set_type(word.text()).set_message(message);
            status
        }
        // A hazard that does not count must not turn CI red.
        _ => TestCaseStatus::success(),
    }
}
