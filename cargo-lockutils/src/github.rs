//! Notes for GitHub Actions, written if we run there.

use std::env;
use std::fmt::Write as _;
use std::fs::OpenOptions;
use std::io::Write as _;
use std::path::Path;

use anyhow::{Context, Result};
use lockutils_harness::model::CheckedReport;
use lockutils_harness::report::{self, workflow_command};

fn is_here() -> bool {
    env::var_os("GITHUB_ACTIONS").is_some_and(|value| value == "true")
}

/// Says, before the run, with which seed it can be repeated.
pub fn begins(command: &str, seed: u64) -> Result<()> {
    if !is_here() {
        return Ok(());
    }
    summary(&format!(
        "`cargo lockutils {command}` begins with seed `{seed:#x}`\n\n"
    ))
}

/// Annotations and summary of `stress`.
pub fn stressed(cards: &[CheckedReport]) -> Result<()> {
    if !is_here() {
        return Ok(());
    }
    annotate(&report::annotations(cards));
    summary(&report::job_summary(cards))
}

/// A counterexample of `explore`.
pub struct Found<'a> {
    /// The lock.
    pub title: &'a str,
    /// What befell it.
    pub scenario: &'a str,
    /// What it came to.
    pub verdict: &'a str,
    /// Whether it was expected.
    pub expected: bool,
    /// The file in which it is kept.
    pub file: &'a Path,
    /// What stands in the file.
    pub text: &'a str,
}

/// A summary is refused above 1024 KiB; the file has all of it.
const MOST_TEXT: usize = 60_000;

/// An annotation and, in the summary, one command that runs the counterexample again anywhere.
pub fn explored(found: &Found<'_>) -> Result<()> {
    if !is_here() {
        return Ok(());
    }
    let Found {
        title,
        scenario,
        verdict,
        ..
    } = found;
    if !found.expected {
        annotate(&workflow_command(
            "error",
            &format!("{verdict} under {scenario}"),
            &format!(
                "{title}: explore found an order of system calls; {} has it",
                found.file.display()
            ),
        ));
    }
    let needed = |line: &&str| !line.starts_with('#');
    let steps = |line: &&str| line.starts_with('#');
    let mut text = format!(
        "### {verdict}: `{title}` under {scenario}{}\n\nAgain, from the folder of the project:\n\n```sh\ncargo lockutils replay - <<'END'\n",
        match found.expected {
            true => ", as expected",
            false => "",
        }
    );
    for line in found.text.lines().filter(needed) {
        let _ = writeln!(text, "{line}");
    }
    text += "END\n```\n\n<details><summary>The steps</summary>\n\n```text\n";
    for line in found.text.lines().filter(steps) {
        let _ = writeln!(text, "{}", line.trim_start_matches(['#', ' ']));
        if text.len() > MOST_TEXT {
            text += "…\n";
            break;
        }
    }
    summary(&(text + "```\n\n</details>\n\n"))
}

/// What was explored without finding anything, or what could not be explored.
pub fn explored_in_vain(
    title: &str,
    scenario: &str,
    verdict: &str,
    schedules: usize,
) -> Result<()> {
    match is_here() {
        true => summary(&format!(
            "- `{title}` under {scenario}: {verdict}, {schedules} schedules explored\n\n"
        )),
        false => Ok(()),
    }
}

/// Workflow commands are read from standard error as well; standard output may be JSON.
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
        .with_context(|| format!("{} cannot be written", file.display()))
}
