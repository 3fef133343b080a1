//! The expectations for each lock, and the table that compares them with the findings.

use std::collections::BTreeMap;
use std::fmt;
use std::fs;
use std::path::Path;

use anyhow::{Context, Result};
use serde::Deserialize;
use serde_json::Value;

/// One lock of the table.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Lock {
    pub name: String,
    #[serde(default)]
    pub needs: Vec<String>,
    #[serde(default)]
    pub worker: Vec<String>,
    #[serde(default)]
    pub wrapper: Vec<String>,
    pub builtin: Option<String>,
    /// Further options of the command.
    #[serde(default)]
    options: Vec<String>,
    #[serde(default)]
    expect: BTreeMap<String, Words>,
    #[serde(default)]
    calm: Vec<String>,
    /// The expected result of `explore`, by scenario.
    #[serde(default)]
    pub explore: BTreeMap<String, String>,
    /// Its lease, if it has one.
    pub lease: Option<String>,
    why: Option<String>,
}

#[derive(Debug, Deserialize)]
#[serde(untagged)]
enum Words {
    One(String),
    AnyOf(Vec<String>),
}

impl Words {
    fn any(&self) -> Vec<&str> {
        match self {
            Words::One(word) => vec![word],
            Words::AnyOf(words) => words.iter().map(String::as_str).collect(),
        }
    }
}

#[derive(Deserialize)]
struct Table {
    lock: Vec<Lock>,
}

/// Reads the table.
pub fn read(path: &Path) -> Result<Vec<Lock>> {
    let text = fs::read_to_string(path).with_context(|| path.display().to_string())?;
    let table: Table = toml::from_str(&text).with_context(|| path.display().to_string())?;
    Ok(table.lock)
}

impl Lock {
    /// Returns `true` if the table has an expectation for stress.
    pub fn is_stressed(&self) -> bool {
        !self.expect.is_empty()
    }

    /// The scenarios in which it truly holds.
    pub fn calm(&self) -> Vec<&str> {
        match self.calm.is_empty() {
            false => self.calm.iter().map(String::as_str).collect(),
            true => self
                .expect
                .iter()
                .filter(|(_, words)| words.any() == ["held"])
                .map(|(scenario, _)| scenario.as_str())
                .collect(),
        }
    }

    /// The options of the command line for this lock, without its command.
    pub fn options(&self) -> Vec<&str> {
        let kind = match (&self.builtin, self.wrapper.is_empty()) {
            (Some(builtin), _) => vec!["--builtin", builtin],
            (None, false) => vec!["--wrapper"],
            (None, true) => vec![],
        };
        let options = self.options.iter().map(String::as_str);
        options.chain(kind).collect()
    }
}

/// The results of one lock.
pub struct Row<'a> {
    lock: &'a Lock,
    /// Scenario, expectation, finding with its evidence, and whether they agree.
    cells: Vec<(&'a str, String, String, bool)>,
}

impl<'a> Row<'a> {
    pub fn new(lock: &'a Lock, report: &Value, calm: bool) -> Self {
        let cells = lock
            .expect
            .iter()
            .filter(|(scenario, _)| !calm || lock.calm().contains(&scenario.as_str()))
            .map(|(scenario, expected)| {
                let outcomes = report["outcomes"].as_array().map_or(&[][..], Vec::as_slice);
                let outcome = outcomes
                    .iter()
                    .find(|outcome| outcome["scenario"] == scenario.as_str());
                let verdict = outcome
                    .and_then(|outcome| outcome["verdict"].as_str())
                    .unwrap_or("missing");
                let words = if calm { vec!["held"] } else { expected.any() };
                let right = words.contains(&verdict);
                let evidence = outcome.map_or_else(String::new, evidence);
                (
                    scenario.as_str(),
                    words.join(" or "),
                    format!("{verdict} ({evidence})"),
                    right,
                )
            })
            .collect();
        Row { lock, cells }
    }

    /// The results that differ from the expectations.
    pub fn wrong(&self) -> impl Iterator<Item = String> {
        self.cells
            .iter()
            .filter(|(.., right)| !right)
            .map(|(scenario, expected, found, _)| {
                format!("{scenario} should be {expected}, is {found}")
            })
    }
}

fn evidence(outcome: &Value) -> String {
    let number = |key: &str| outcome[key].as_u64().unwrap_or(0);
    let mut parts = vec![format!("{} sections", number("sections"))];
    let overlaps = number("overlaps") + number("expiries");
    if overlaps > 0 {
        let first = outcome["first_overlap"]["at_ns"].as_f64().unwrap_or(0.0) / 1e9;
        parts.push(format!("{overlaps} overlaps, first at {first:.2} s"));
    }
    for fault in outcome["faults"].as_array().into_iter().flatten() {
        parts.push(format!(
            "{} {}",
            fault["count"],
            fault["name"].as_str().unwrap_or("")
        ));
    }
    let errors: u64 = outcome["errors"]
        .as_array()
        .into_iter()
        .flatten()
        .filter_map(|e| e["count"].as_u64())
        .sum();
    if errors > 0 {
        parts.push(format!("{errors} errors"));
    }
    parts.join(", ")
}

impl fmt::Display for Row<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "{}", self.lock.name)?;
        for (scenario, expected, found, right) in &self.cells {
            let mark = if *right { '✔' } else { '✘' };
            writeln!(f, "  {mark} {scenario:<13} {expected:<16} {found}")?;
        }
        match &self.lock.why {
            Some(why) => writeln!(f, "    {why}"),
            None => Ok(()),
        }
    }
}
