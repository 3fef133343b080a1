//! The report files of a trial. They are created before it begins, so that a wrong path fails
//! early.

use std::fs::{self, OpenOptions};
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use lockutils_harness::model::CheckedReport;
use lockutils_harness::report;

use crate::cli::ReportOptions;
use crate::{github, output};

/// The destinations of the reports.
pub struct Reports {
    to_stdout: bool,
    json: Option<PathBuf>,
    junit: Option<PathBuf>,
    html: Option<PathBuf>,
    /// `true` for configured locks, of which there may be several.
    configured: bool,
}

impl Reports {
    /// Creates every file, or fails.
    pub fn prepare(
        chosen: &ReportOptions,
        artifacts: Option<&Path>,
        command: &str,
        configured: bool,
    ) -> Result<Self> {
        let within = |name: &str| artifacts.map(|folder| folder.join(format!("{command}{name}")));
        let absolute = |file: &Option<PathBuf>| file.as_ref().map(std::path::absolute).transpose();
        let reports = Reports {
            to_stdout: chosen.json,
            json: within(".json"),
            junit: absolute(&chosen.junit)?.or(within("-junit.xml")),
            html: absolute(&chosen.html)?.or(within(".html")),
            configured,
        };
        let files = [&reports.json, &reports.junit, &reports.html];
        for file in files.into_iter().flatten() {
            // Fail before the trial rather than after it.
            OpenOptions::new()
                .append(true)
                .create(true)
                .open(file)
                .with_context(|| cannot_write(file))?;
        }
        Ok(reports)
    }

    /// Writes every requested report.
    pub fn write(&self, checked: &[CheckedReport], exit_status: u8) -> Result<()> {
        let json = match checked {
            [one] if !self.configured => report::json(one),
            all => report::json_of_all(all, exit_status),
        };
        if self.to_stdout {
            output::result(&json)?;
        }
        if let Some(file) = &self.json {
            fs::write(file, json + "\n").with_context(|| cannot_write(file))?;
        }
        if let Some(file) = &self.junit {
            fs::write(file, report::junit(checked)?).with_context(|| cannot_write(file))?;
        }
        if let Some(file) = &self.html {
            pages(file, checked)?;
        }
        github::tried(checked)
    }
}

fn pages(file: &Path, reports: &[CheckedReport]) -> Result<()> {
    if reports.len() != 1 {
        // [`Reports::prepare`] created it as a check.
        fs::remove_file(file).with_context(|| cannot_write(file))?;
    }
    for checked in reports {
        let file = match &checked.name {
            Some(name) if reports.len() > 1 => with_name(file, name),
            _ => file.to_owned(),
        };
        let page = report::html(&checked.report);
        fs::write(&file, page).with_context(|| cannot_write(&file))?;
        output::note(format_args!("wrote {}", file.display()));
    }
    Ok(())
}

/// Creates the directory of artifacts and writes the seed there, so that even a killed run can be
/// repeated.
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

/// Inserts a name: `report.html` and `cache` make `report-cache.html`.
fn with_name(file: &Path, name: &str) -> PathBuf {
    let stem = file.file_stem().unwrap_or_default().to_string_lossy();
    let extension = match file.extension() {
        Some(extension) => format!(".{}", extension.to_string_lossy()),
        None => String::new(),
    };
    file.with_file_name(format!("{stem}-{name}{extension}"))
}

pub fn cannot_write(file: &Path) -> String {
    format!("cannot write {}", file.display())
}
