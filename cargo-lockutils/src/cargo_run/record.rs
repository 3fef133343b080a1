//! The report of `--report`: what each run used and left locked, as JSON
//! (docs/reference/test-json.md).

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use serde::Serialize;

use crate::leaks::Leak;

/// Grows when a field changes its meaning or goes away.
const SCHEMA: u32 = 1;

/// What one run came to.
#[derive(Debug, Serialize)]
pub struct Done {
    pub seed: Option<String>,
    pub exit_status: u8,
    pub lock_path: String,
    /// Lock files that the run made; with `--lock-path` those of earlier runs are left out.
    pub used: Vec<String>,
    pub leaks: Vec<Leak>,
}

#[derive(Serialize)]
struct Document<'a> {
    schema: u32,
    tool: &'static str,
    exit_status: u8,
    runs: &'a [Done],
}

/// The file and what goes into it.
pub struct Record {
    file: Option<PathBuf>,
    runs: Vec<Done>,
}

impl Record {
    /// Makes sure that the file can be written, before the tests run.
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
        // Endless runs without a report must not fill the memory.
        if self.file.is_some() {
            self.runs.push(done);
        }
    }

    pub fn write(&self, exit_status: u8) -> Result<()> {
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
    format!("the report {} cannot be written", file.display())
}
