//! JSON, one schema for `stress` and `explore`: `docs/reference/report.md`.

use serde::Serialize;

use crate::model::{CheckedReport, SCHEMA};

/// The JSON of configured locks.
#[derive(Serialize)]
struct Reports<'a> {
    schema: u32,
    tool: &'static str,
    exit_status: u8,
    reports: &'a [CheckedReport],
}

/// The report of one lock that was given on the command line.
pub fn json(report: &CheckedReport) -> String {
    pretty(&report.report)
}

/// The reports of configured locks, each with its expectations, and the exit status of the run.
pub fn json_of_all(reports: &[CheckedReport], exit_status: u8) -> String {
    pretty(&Reports {
        schema: SCHEMA,
        tool: env!("CARGO_PKG_VERSION"),
        exit_status,
        reports,
    })
}

fn pretty(value: &impl Serialize) -> String {
    serde_json::to_string_pretty(value).expect("a report has no map with odd keys")
}
