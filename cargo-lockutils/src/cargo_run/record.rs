//! The JSON of `--report`: the lock files and leaks of each run (docs/reference/test-json.md).

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use serde::Serialize;

use crate::leaks::Leak;
use crate::sys::Status;

/// Increases when a field changes its meaning or is removed.
const SCHEMA: u32 = 1;

/// The result of one run.
#[derive(Debug, Serialize)]
pub struct Done {
    pub seed: Option<String>,
    pub exit_status: Status,
    pub lock_path: String,
    /// Lock files that the run created; with `--lock-path`, without those of earlier runs.
    pub used: Vec<String>,
    pub leaks: Vec<Leak>,
}

#[derive(Serialize)]
struct Document<'a> {
    schema: u32,
    tool: &'static str,
    exit_status: Status,
    runs: &'a [Done],
}

/// The file of the report and its contents.
pub struct Record {
    file: Option<PathBuf>,
    runs: Vec<Done>,
}

impl Record {
    /// Creates the file before the tests run, so that a wrong path fails early.
    pub fn begin(file: Option<&Path>) -> Result<Self> {
        if let Some(file) = file {
            fs::write(file, "").with_context(|| cannot_write(file))?;
        }
        Ok(Record {
            file: file.map(std::path::absolute).transpose()?,
            runs: Vec::new(),
        })
    }

    pub fn add(&mut self, done: Done) {
        // Without a report, endless runs must not fill the memory.
        if self.file.is_some() {
            self.runs.push(done);
        }
    }

    pub fn write(&self, exit_status: Status) -> Result<()> {
        let Some(file) = &self.file else {
            return Ok(());
        };
        let text = serde_json::to_string_pretty(&Document {
            schema: SCHEMA,
            tool: env!("CARGO_PKG_VERSION"),
            exit_status,
            runs: &self.runs,
        })?;
        fs::write(file, text + "\n").with_context(|| cannot_write(file))
    }
}

fn cannot_write(file: &Path) -> String {
    format!("cannot write the report {}", file.display())
}
