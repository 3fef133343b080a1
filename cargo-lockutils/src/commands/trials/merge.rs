//! `cargo lockutils merge`: one report from several.

use std::fs;
use std::path::Path;

use anyhow::{Context, Result, bail};
use lockutils_harness::model::{self, CheckedReport, Report, SCHEMA};
use lockutils_harness::report;
use serde_json::Value;

use super::reports::Reports;
use super::screen::{self, Screen};
use crate::cli::MergeOptions;
use crate::sys::Status;

/// Merges the reports in the files.
pub fn run(options: &MergeOptions) -> Result<Status> {
    let mut reports = Vec::new();
    for file in &options.files {
        let read = read(file).with_context(|| format!("cannot read {}", file.display()))?;
        reports.extend(read);
    }
    let is_configured = reports.iter().any(|one| one.name.is_some());
    let merged = model::merge(reports)?;
    let artifacts = options.reports.artifacts.as_deref();
    if let Some(folder) = artifacts {
        fs::create_dir_all(folder).with_context(|| super::reports::cannot_write(folder))?;
    }
    let is_several = is_configured || merged.len() > 1;
    let reports = Reports::prepare(&options.reports, artifacts, "merge", is_several)?;
    let screen = Screen::new(options.reports.json);
    for (nth, checked) in merged.iter().enumerate() {
        if nth > 0 {
            screen.line("");
        }
        show(&screen, checked);
    }
    let exit_status = model::worst(merged.iter().map(|checked| checked.exit_status));
    reports.write(&merged, exit_status)?;
    Ok(exit_status.into())
}

/// The reports in a file: one lock, or several configured ones.
fn read(file: &Path) -> Result<Vec<CheckedReport>> {
    let value: Value = serde_json::from_slice(&fs::read(file)?)?;
    match value.get("schema").and_then(Value::as_u64) {
        Some(schema) if schema == u64::from(SCHEMA) => {}
        Some(schema) => bail!("it has schema {schema}, and this version reads schema {SCHEMA}"),
        None => bail!("it is not a report of `explore --json` or `stress --json`"),
    }
    Ok(match value.get("reports") {
        Some(reports) => serde_path_to_error::deserialize(reports)?,
        None => vec![CheckedReport::plain(serde_path_to_error::deserialize::<
            _,
            Report,
        >(value)?)],
    })
}

fn show(screen: &Screen, checked: &CheckedReport) {
    let report = &checked.report;
    if let Some(name) = &checked.name {
        screen.line(&report::name_line(name));
    }
    let how = format!(
        "{} of {}, {} workers",
        report::counted(report.merged.len() as u64, "reports"),
        report.command.word(),
        report.workers
    );
    screen.line(&report::headline(&report.lock.title, &how));
    for outcome in &report.outcomes {
        screen.line(&report::outcome_line(outcome, screen::width()));
    }
    for evidence in report.outcomes.iter().filter(|one| one.load().is_some()) {
        if let Some(evidence) = report::evidence(evidence) {
            screen.line(&format!("\n{}", evidence.trim_end()));
        }
    }
    match checked.name {
        Some(_) => screen.line(&report::checked_line(checked)),
        None if report.command == model::Command::Stress => {
            screen.line(&format!("\n{}", report::verdict_line(report)));
        }
        None => {}
    }
}
