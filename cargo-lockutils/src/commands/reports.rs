//! The files that a trial leaves: named before it begins, so that a mistake shows then.

use std::fs::{self, OpenOptions};
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, anyhow};
use lockutils_harness::model::CheckedReport;
use lockutils_harness::report::{self};
use serde::Serialize;

use crate::cli::StressOptions;
use crate::{github, say};

/// The version of the JSON around several cards.
const SCHEMA: u32 = 1;

/// Where results go.
pub struct Reports {
    to_stdout: bool,
    json: Option<PathBuf>,
    junit: Option<PathBuf>,
    html: Option<PathBuf>,
    /// Whether the locks are configured ones, of which there may be several.
    configured: bool,
}

/// The JSON of a configured run.
#[derive(Serialize)]
struct Cards<'a> {
    schema: u32,
    tool: &'static str,
    exit_status: u8,
    cards: &'a [CheckedReport],
}

impl Reports {
    /// Makes sure that everything can be written, and writes down the seed.
    pub fn prepare(chosen: &StressOptions, configured: bool, seed: u64) -> Result<Self> {
        let artifacts = artifacts(chosen.artifacts.as_deref(), "stress", seed)?;
        let within = |name: &str| artifacts.as_ref().map(|folder| folder.join(name));
        let absolute = |file: &Option<PathBuf>| file.as_ref().map(std::path::absolute).transpose();
        let reports = Reports {
            to_stdout: chosen.json,
            json: within("stress.json"),
            junit: absolute(&chosen.junit)?.or(within("stress-junit.xml")),
            html: absolute(&chosen.html)?.or(within("stress.html")),
            configured,
        };
        for file in reports
            .junit
            .iter()
            .chain(&reports.json)
            .chain(&reports.html)
        {
            // Better now than when the work is done.
            OpenOptions::new()
                .append(true)
                .create(true)
                .open(file)
                .with_context(|| cannot_write(file))?;
        }
        Ok(reports)
    }

    /// Writes what was asked for.
    pub fn write(&self, cards: &[CheckedReport], exit_status: u8) -> Result<()> {
        let json = match cards {
            [one] if !self.configured => serde_json::to_string_pretty(&one.card)?,
            cards => serde_json::to_string_pretty(&Cards {
                schema: SCHEMA,
                tool: env!("CARGO_PKG_VERSION"),
                exit_status,
                cards,
            })?,
        };
        if self.to_stdout {
            say::result(&json)?;
        }
        if let Some(file) = &self.json {
            fs::write(file, json + "\n").with_context(|| cannot_write(file))?;
        }
        if let Some(file) = &self.junit {
            let xml = report::junit(cards).map_err(|why| anyhow!("the JUnit report: {why}"))?;
            fs::write(file, xml).with_context(|| cannot_write(file))?;
        }
        if let Some(file) = &self.html {
            self.pages(file, cards)?;
        }
        github::stressed(cards)
    }

    fn pages(&self, file: &Path, cards: &[CheckedReport]) -> Result<()> {
        if cards.len() != 1 {
            // The file that was made to see whether it can be.
            fs::remove_file(file).with_context(|| cannot_write(file))?;
        }
        for judged in cards {
            let file = match &judged.name {
                Some(name) if cards.len() > 1 => with_name(file, name),
                _ => file.to_owned(),
            };
            fs::write(&file, report::html(&judged.card)).with_context(|| cannot_write(&file))?;
            say::note(format_args!("the page is {}", file.display()));
        }
        Ok(())
    }
}

/// Makes the folder of artifacts, and writes the seed there before anything is tried: a run that is killed can be repeated.
pub fn artifacts(folder: Option<&Path>, command: &str, seed: u64) -> Result<Option<PathBuf>> {
    let Some(folder) = folder else {
        return Ok(None);
    };
    fs::create_dir_all(folder).with_context(|| cannot_write(folder))?;
    let folder = std::path::absolute(folder)?;
    let file = folder.join(format!("{command}-seed.txt"));
    fs::write(&file, format!("{seed:#x}\n")).with_context(|| cannot_write(&file))?;
    Ok(Some(folder))
}

/// `report.html` and `cache` make `report-cache.html`.
pub fn with_name(file: &Path, name: &str) -> PathBuf {
    let stem = file.file_stem().unwrap_or_default().to_string_lossy();
    let extension = match file.extension() {
        Some(extension) => format!(".{}", extension.to_string_lossy()),
        None => String::new(),
    };
    file.with_file_name(format!("{stem}-{name}{extension}"))
}

pub fn cannot_write(file: &Path) -> String {
    format!("{} cannot be written", file.display())
}
