//! What an exploration has shown: one data model, from which JSON, HTML and JUnit's XML are made.

use std::time::Duration;

use quick_junit::{
    NonSuccessKind, Report as JunitReport, TestCase, TestCaseStatus, TestSuite, XmlString,
};
use serde::Serialize;

use crate::model::{Quoted, Verdict};

use super::found::Found;
use super::schedule::switches;
use super::search::Search;
use super::story::{Line, ending, lines};
use crate::model::Scenario;

/// The version of the JSON; it grows when a field changes its meaning or goes away, not when one is added.
pub const SCHEMA: u32 = 1;

const PAGE: &str = include_str!("page.html");
const DATA: &str = "\"the data of the card\"";

/// Everything that one run has shown.
#[derive(Clone, Debug, Serialize)]
pub struct Card {
    /// [`SCHEMA`].
    pub schema: u32,
    /// The version of the tool.
    pub tool: &'static str,
    /// For a headline.
    pub title: String,
    /// The lock, as it stands on the command line.
    pub arguments: String,
    /// Of random schedules.
    pub seed: String,
    /// How long it took.
    pub seconds: f64,
    /// Whether somebody stopped it.
    pub interrupted: bool,
    /// The worst.
    pub verdict: Verdict,
    /// As the command exits.
    pub exit_status: u8,
    /// One for each scenario.
    pub outcomes: Vec<Outcome>,
}

/// What one scenario has shown.
#[derive(Clone, Debug, Serialize)]
pub struct Outcome {
    /// Which.
    pub scenario: Scenario,
    /// What happens in it.
    pub meaning: &'static str,
    /// What it comes to.
    pub verdict: Verdict,
    /// Why nothing can be said.
    pub reason: Option<String>,
    /// How many acquire the lock.
    pub parties: usize,
    /// How often each of them does.
    pub rounds: usize,
    /// How schedules were made up.
    pub strategy: &'static str,
    /// How many were run.
    pub schedules: usize,
    /// How many were cut short, since the rest was known.
    pub known: usize,
    /// How long that took.
    pub seconds: f64,
    /// What has been tried without a gap.
    pub complete: Option<String>,
    /// Schedules in which a lease may have run out.
    pub expiries: usize,
    /// Schedules in which all looked again and again.
    pub polls: usize,
    /// How long a holder had been dead in real time before the others began, in milliseconds.
    pub rest_ms: u64,
    /// What the library failed with.
    pub errors: Vec<Quoted>,
    /// The shortest schedule that breaks the lock.
    pub counterexample: Option<Shown>,
}

/// A counterexample.
#[derive(Clone, Debug, Serialize)]
pub struct Shown {
    /// What it comes to.
    pub ending: String,
    /// How often another went on.
    pub switches: usize,
    /// How many of `runs` came to the same.
    pub same: usize,
    /// How often it was run again.
    pub runs: usize,
    /// Step by step.
    pub steps: Vec<Line>,
}

impl Outcome {
    /// Of what a search has found.
    pub fn new(search: &Search<'_>, found: &Found) -> Self {
        Outcome {
            scenario: found.plot,
            meaning: found.plot.meaning(),
            verdict: found.verdict(),
            reason: found.reason(),
            parties: found.parties,
            rounds: search.rounds,
            strategy: search.strategy.word(),
            schedules: found.schedules,
            known: found.known,
            seconds: found.seconds,
            complete: found.complete.clone(),
            expiries: found.expiries,
            polls: found.polls,
            rest_ms: found.rest.as_millis() as u64,
            errors: found.errors.clone(),
            counterexample: found.counterexample.as_ref().map(|trace| Shown {
                ending: ending(&trace.end),
                switches: switches(&trace.choices()),
                same: found.replayed.0,
                runs: found.replayed.1,
                steps: lines(trace),
            }),
        }
    }
}

impl Card {
    /// As a page that needs nothing else.
    pub fn html(&self) -> String {
        // Inside a script, only the end of the script could end it.
        let data = serde_json::to_string(self)
            .expect("the card has no map with odd keys")
            .replace("</", "<\\/");
        PAGE.replace(DATA, &data)
    }

    /// As JUnit's XML.
    ///
    /// # Errors
    /// If it cannot be written as XML.
    pub fn junit(&self) -> Result<String, String> {
        let mut suite = TestSuite::new(format!("cargo lockutils explore {}", self.arguments));
        for outcome in &self.outcomes {
            let told = outcome.counterexample.as_ref();
            let message = match (told, &outcome.reason) {
                (Some(told), _) => told.ending.clone(),
                (None, Some(reason)) => reason.clone(),
                (None, None) => outcome.verdict.text().to_owned(),
            };
            let status = match outcome.verdict {
                Verdict::Held | Verdict::LeaseExpired => TestCaseStatus::success(),
                Verdict::NotKnown => {
                    let mut status = TestCaseStatus::skipped();
                    status.set_message(message);
                    status
                }
                word => {
                    let kind = match word {
                        Verdict::Errors => NonSuccessKind::Error,
                        _ => NonSuccessKind::Failure,
                    };
                    let mut status = TestCaseStatus::non_success(kind);
                    status.set_type(word.text()).set_message(message);
                    status
                }
            };
            let mut case = TestCase::new(outcome.scenario.word(), status);
            case.set_classname(self.title.clone());
            case.set_time(Duration::from_secs_f64(outcome.seconds.max(0.0)));
            if let Some(told) = told {
                let steps: Vec<String> = told
                    .steps
                    .iter()
                    .map(|line| format!("{}: {} {}", line.who, line.what, line.means))
                    .collect();
                case.set_system_out(XmlString::new(steps.join("\n")));
            }
            suite.add_test_case(case);
        }
        let mut report = JunitReport::new("cargo-lockutils");
        report.add_test_suite(suite);
        report.to_string().map_err(|error| error.to_string())
    }
}
