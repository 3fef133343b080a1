//! Annotations and job summary for GitHub Actions.

use std::env;
use std::fs::OpenOptions;
use std::io::Write as _;
use std::path::Path;

use anyhow::{Context, Result};
use lockutils_harness::model::CheckedReport;
use lockutils_harness::report;

fn is_here() -> bool {
    env::var_os("GITHUB_ACTIONS").is_some_and(|value| value == "true")
}

/// Writes the seed to the summary before the run begins.
pub fn begins(command: &str, seed: u64) -> Result<()> {
    if !is_here() {
        return Ok(());
    }
    summary(&format!(
        "`cargo lockutils {command}` begins with seed `{seed:#x}`\n\n"
    ))
}

/// Writes the annotations and the summary of a trial.
pub fn tried(checked: &[CheckedReport]) -> Result<()> {
    if !is_here() {
        return Ok(());
    }
    annotate(&report::annotations(checked));
    summary(&report::job_summary(checked))
}

/// GitHub also reads workflow commands from standard error; standard output may be JSON.
fn annotate(commands: &str) {
    eprint!("{commands}");
}

fn summary(text: &str) -> Result<()> {
    let Some(file) = env::var_os("GITHUB_STEP_SUMMARY") else {
        return Ok(());
    };
    let file = Path::new(&file);
    OpenOptions::new()
        .append(true)
        .create(true)
        .open(file)
        .and_then(|mut out| out.write_all(text.as_bytes()))
        .with_context(|| format!("cannot write {}", file.display()))
}
