//! `explore` on the locks of the table: expected and found results, as a table for the docs.

use std::process::{Command, ExitCode};

use anyhow::{Context, Result};
use serde_json::Value;

use crate::Options;
use crate::install::Tools;
use crate::table::Lock;

/// Number of replays of a counterexample.
const REPLAYS: &str = "100";

/// Explores all locks.
pub fn all(locks: &[Lock], tools: &mut Tools, options: &Options) -> Result<ExitCode> {
    let mut wrong = locks.is_empty();
    println!(
        "| lock | scenario | expected | found | schedules | s | per second | extent, or steps and switches | replays |"
    );
    println!("|---|---|---|---|---|---|---|---|---|");
    for lock in locks {
        for (scenario, expected) in &lock.explore {
            let is_meant = |only: &String| only == scenario;
            if !options.scenario.as_ref().is_none_or(is_meant) {
                continue;
            }
            let cells = one(lock, scenario, options, tools).with_context(|| lock.name.clone())?;
            wrong |= cells[0] != *expected;
            let mark = if cells[0] == *expected { "" } else { " ✘" };
            println!(
                "| {} | {scenario} | {expected}{mark} | {} |",
                lock.name,
                cells.join(" | ")
            );
        }
    }
    Ok(ExitCode::from(u8::from(wrong)))
}

fn one(lock: &Lock, scenario: &str, options: &Options, tools: &mut Tools) -> Result<Vec<String>> {
    let folder = tempfile::tempdir()?;
    let kept = folder.path().join("found.txt");
    let mut command = Command::new(tools.command());
    command
        .args([
            "explore",
            "--json",
            "--scenario",
            scenario,
            "--duration",
            options.duration.as_deref().unwrap_or("300s"),
        ])
        .args([
            "--seed",
            &options.seed.to_string(),
            "--schedules",
            &options.schedules.to_string(),
        ])
        .arg("--save")
        .arg(&kept);
    if let Some(lease) = &lock.lease {
        command.args(["--lease", lease]);
    }
    command.args(lock.options());
    tools.provide(lock, &mut command)?;
    let output = command.output()?;
    let report: Value = serde_json::from_slice(&output.stdout)
        .with_context(|| format!("{command:?}: {}", String::from_utf8_lossy(&output.stderr)))?;
    let outcome = &report["outcomes"][0];
    let seconds = outcome["seconds"].as_f64().unwrap_or(0.0);
    let run = outcome["schedules"].as_f64().unwrap_or(0.0);
    let shown = &outcome["counterexample"];
    let (size, replays) = match shown.is_null() {
        true => (
            outcome["complete"].as_str().unwrap_or("").to_owned(),
            String::new(),
        ),
        false => {
            let steps = shown["steps"].as_array().map_or(0, Vec::len);
            let mut replay = Command::new(tools.command());
            replay.args(["replay", "--times", REPLAYS]).arg(&kept);
            for (name, value) in command.get_envs() {
                replay.env(name, value.unwrap_or_default());
            }
            replay.current_dir(command.get_current_dir().context("a folder")?);
            let printed = String::from_utf8_lossy(&replay.output()?.stdout).into_owned();
            let line = printed
                .lines()
                .find(|line| line.contains("runs reached the violation"))
                .unwrap_or("?");
            let count = line.split(" runs").next().unwrap_or("?").to_owned();
            (format!("{steps}, {}", shown["switches"]), count)
        }
    };
    Ok(vec![
        outcome["verdict"].as_str().unwrap_or("missing").to_owned(),
        format!("{run}"),
        format!("{seconds:.1}"),
        format!("{:.0}", run / seconds.max(1e-9)),
        size,
        replays,
    ])
}
