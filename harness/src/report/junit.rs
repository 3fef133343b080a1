//! JUnit XML, as CI servers read it: a suite for each lock, a case for each scenario.

use std::time::Duration;

use quick_junit::{
    NonSuccessKind, Report as JunitReport, SerializeError, TestCase, TestCaseStatus, TestSuite,
    XmlString,
};

use super::evidence;
use crate::model::{CheckedReport, Outcome, Rank, Verdict};

/// A report could not be written as XML.
#[derive(Debug, thiserror::Error)]
#[error("the JUnit report cannot be written as XML: {0}")]
pub struct JunitError(#[from] SerializeError);

/// The reports as JUnit XML.
///
/// # Errors
/// Returns an error if a report cannot be written as XML.
pub fn junit(reports: &[CheckedReport]) -> Result<String, JunitError> {
    let mut document = JunitReport::new("cargo-lockutils");
    for report in reports {
        document.add_test_suite(suite(report));
    }
    Ok(document.to_string()?)
}

fn suite(checked: &CheckedReport) -> TestSuite {
    let report = &checked.report;
    let command = report.command.word();
    let mut suite = TestSuite::new(match &checked.name {
        Some(name) => format!("cargo lockutils {command} --lock {name}"),
        None => format!("cargo lockutils {command} {}", report.lock.arguments),
    });
    for outcome in &report.outcomes {
        let mut case = TestCase::new(outcome.scenario.word(), status(checked, outcome));
        case.set_classname(checked.title().to_owned());
        case.set_time(Duration::from_secs_f64(outcome.seconds.max(0.0)));
        if let Some(evidence) = evidence(outcome) {
            case.set_system_out(XmlString::new(evidence));
        }
        suite.add_test_case(case);
    }
    suite.add_property(("seed", report.seed.as_str()));
    suite
}

fn status(checked: &CheckedReport, outcome: &Outcome) -> TestCaseStatus {
    let found = super::finding(outcome);
    match (checked.rank(outcome), outcome.verdict) {
        (Rank::Failure, verdict) => {
            let kind = match verdict {
                Verdict::Errors => NonSuccessKind::Error,
                _ => NonSuccessKind::Failure,
            };
            let message = match checked.unmet(outcome) {
                Some(expectation) => format!("{}; {found}", expectation.sentence()),
                None => found,
            };
            let mut status = TestCaseStatus::non_success(kind);
            status.set_type(verdict.text()).set_message(message);
            status
        }
        (_, Verdict::NotKnown) => {
            let mut status = TestCaseStatus::skipped();
            status.set_message(found);
            status
        }
        // Neither a hazard that does not count nor an expected verdict may fail CI.
        _ => TestCaseStatus::success(),
    }
}
