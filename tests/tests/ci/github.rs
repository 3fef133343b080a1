//! GitHub Actions, as far as our steps depend on it.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use lockutils_tests::command::{Newcomer, text};
use serde_json::Value;

/// A job from the point of view of its steps.
pub struct Job<'a> {
    newcomer: &'a Newcomer,
    /// The values of expressions.
    pub values: BTreeMap<String, String>,
    variables: BTreeMap<String, String>,
    files: tempfile::TempDir,
    /// Set once a step has failed.
    pub failed: bool,
    pub said: String,
}

impl<'a> Job<'a> {
    pub fn new(newcomer: &'a Newcomer, event: &str) -> Self {
        let files = tempfile::tempdir().expect("a temporary folder");
        let at = |name: &str| files.path().join(name).to_string_lossy().into_owned();
        for name in ["summary.md", "path", "output"] {
            fs::write(files.path().join(name), "").expect("a file");
        }
        fs::create_dir(files.path().join("temp")).expect("a folder");
        let variables = [
            ("CI", "true".to_owned()),
            ("GITHUB_ACTIONS", "true".to_owned()),
            ("GITHUB_EVENT_NAME", event.to_owned()),
            ("GITHUB_STEP_SUMMARY", at("summary.md")),
            ("GITHUB_PATH", at("path")),
            ("GITHUB_OUTPUT", at("output")),
            ("RUNNER_TEMP", at("temp")),
        ];
        let values = [
            ("runner.temp", at("temp")),
            ("runner.os", "Linux".to_owned()),
            ("runner.arch", "X64".to_owned()),
        ];
        let own = |pairs: &[(&str, String)]| {
            pairs
                .iter()
                .map(|(name, value)| ((*name).to_owned(), value.clone()))
                .collect()
        };
        Job {
            newcomer,
            values: own(&values),
            variables: own(&variables),
            failed: false,
            said: String::new(),
            files,
        }
    }

    pub fn set(&mut self, variable: &str, value: &str) {
        self.variables.insert(variable.to_owned(), value.to_owned());
    }

    pub fn temp(&self) -> PathBuf {
        self.files.path().join("temp")
    }

    pub fn summary(&self) -> String {
        fs::read_to_string(self.files.path().join("summary.md")).expect("the summary")
    }

    /// The text with its expressions replaced; an unknown expression is an error of the file or of
    /// the test.
    pub fn filled(&self, text: &str) -> String {
        let mut filled = String::new();
        let mut rest = text;
        while let Some((before, after)) = rest.split_once("${{") {
            let (expression, after) = after.split_once("}}").expect("an expression ends");
            let value = self
                .values
                .get(expression.trim())
                .unwrap_or_else(|| panic!("what is `{}`?", expression.trim()));
            filled += before;
            filled += value;
            rest = after;
        }
        filled + rest
    }

    /// Runs a step that has `run`, unless an earlier one has failed; its outputs become values.
    pub fn step(&mut self, step: &Value) -> Option<Output> {
        let always = step["if"].as_str() == Some("always()");
        let script = step["run"].as_str()?;
        if self.failed && !always {
            return None;
        }
        let shell = step["shell"].as_str().unwrap_or("bash");
        let mut command = Command::new(shell);
        command.args(["-e", "-c", &self.filled(script)]);
        command.envs(&self.variables);
        if let Some(variables) = step["env"].as_object() {
            for (name, value) in variables {
                command.env(name, self.filled(value.as_str().expect("a text")));
            }
        }
        let folder = step["working-directory"].as_str().unwrap_or(".");
        let folder = self.newcomer.package().join(self.filled(folder));
        let output = self.newcomer.run(command, &folder);
        self.said += &text(&output);
        self.failed |= !output.status.success();
        let file = self.files.path().join("output");
        for line in fs::read_to_string(&file).expect("outputs").lines() {
            let (name, value) = line
                .split_once('=')
                .unwrap_or_else(|| panic!("an output: {line}"));
            if let Some(id) = step["id"].as_str() {
                self.values
                    .insert(format!("steps.{id}.outputs.{name}"), value.to_owned());
            }
        }
        fs::write(file, "").expect("outputs");
        Some(output)
    }

    /// Lines that annotate the run.
    pub fn annotations(&self) -> Vec<&str> {
        self.said
            .lines()
            .filter(|line| line.starts_with("::error ") || line.starts_with("::warning "))
            .collect()
    }

    pub fn is_within_limits(&self) {
        assert!(self.annotations().len() <= 10, "{:?}", self.annotations());
        assert!(self.summary().len() < 1024 * 1024);
    }
}

/// The files below a folder, by name.
pub fn names(folder: &Path) -> Vec<String> {
    let mut names: Vec<String> = fs::read_dir(folder)
        .unwrap_or_else(|error| panic!("{}: {error}", folder.display()))
        .map(|entry| {
            entry
                .expect("an entry")
                .file_name()
                .to_string_lossy()
                .into_owned()
        })
        .collect();
    names.sort();
    names
}
