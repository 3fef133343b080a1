//! `cargo lockutils clean`: removes unused lock files.

mod removal;
mod runs;

use std::collections::BTreeMap;
use std::ffi::OsStr;
use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};

use crate::cli::CleanOptions;
use crate::lock_scan::{self, Role, User, lock_of_turnstile};
use crate::output;
use crate::sys::Status;
use removal::Outcome;

/// Exit status if some unused files could not be removed.
const NOT_ALL: Status = 1;

pub fn run(options: &CleanOptions) -> Result<Status> {
    if options.runs {
        return Ok(runs::clean(options.kept, options.dry_run));
    }
    let directory = options.lock_path.existing()?;
    if !directory.is_dir() {
        bail!(
            "{} is not a directory: give the directory that contains the lock files",
            directory.display()
        );
    }
    let mut summary = Summary::default();
    for file in candidates(&directory, &mut summary)? {
        let lock = lock_of_turnstile(&file);
        if let Some(lock) = &lock
            && lock.symlink_metadata().is_ok()
            && !summary.removed.contains(lock)
        {
            continue; // a turnstile stays with its lock
        }
        match removal::remove(&file, options.dry_run) {
            Ok(outcome) => summary.count(file, outcome),
            Err(error) => summary.failed.push((file, error.to_string())),
        }
    }
    Ok(summary.print(&directory, options.dry_run))
}

/// Candidates for lock files, turnstiles last.
fn candidates(directory: &Path, summary: &mut Summary) -> Result<Vec<PathBuf>> {
    let problem = || format!("cannot read the lock path {}", directory.display());
    let mut files = Vec::new();
    for entry in fs::read_dir(directory).with_context(problem)? {
        let entry = entry.with_context(problem)?;
        let path = entry.path();
        let kind = entry.file_type().with_context(problem)?;
        let name = entry.file_name();
        let name = name.to_string_lossy();
        let is_ours = !lock_scan::is_hidden(&path) || removal::is_left_over(&name);
        let reason = if kind.is_symlink() {
            Some("a symbolic link")
        } else if kind.is_dir() {
            Some("a directory")
        } else if !is_ours {
            Some("hidden")
        } else {
            None
        };
        match reason {
            Some(what) => summary.count(path, Outcome::NotALockFile(what)),
            None => files.push(path),
        }
    }
    files.sort_by_key(|file| (lock_of_turnstile(file).is_some(), file.clone()));
    Ok(files)
}

#[derive(Default)]
struct Summary {
    removed: Vec<PathBuf>,
    in_use: Vec<PathBuf>,
    other_files: Vec<(PathBuf, &'static str)>,
    failed: Vec<(PathBuf, String)>,
    torn: Vec<PathBuf>,
}

impl Summary {
    fn count(&mut self, file: PathBuf, outcome: Outcome) {
        match outcome {
            Outcome::Removed => self.removed.push(file),
            Outcome::InUse => self.in_use.push(file),
            Outcome::NotALockFile(what) => self.other_files.push((file, what)),
            Outcome::NotKnown(reason) => self.failed.push((file, reason)),
            Outcome::Gone => {}
            Outcome::Torn => self.torn.push(file),
        }
    }

    /// Prints the outcome for each file and returns the exit status.
    fn print(&self, directory: &Path, dry_run: bool) -> Status {
        let removed = if dry_run { "would remove" } else { "removed" };
        let locks = |files: &[PathBuf]| -> Vec<PathBuf> {
            let locks = files
                .iter()
                .filter(|file| lock_of_turnstile(file).is_none());
            locks.cloned().collect()
        };
        for file in locks(&self.removed) {
            output::on_stdout(format_args!("{removed} {}", name(&file)));
        }
        let users = if self.in_use.is_empty() {
            BTreeMap::new()
        } else {
            lock_scan::scan(directory).files
        };
        let in_use = locks(&self.in_use);
        for file in &in_use {
            let below = Path::new(file.file_name().unwrap_or_default());
            let user = users.get(below).and_then(|users| users.first());
            output::on_stdout(format_args!(
                "{} stays: {}",
                name(file),
                user.map_or("it is in use".into(), what_of)
            ));
        }
        for (file, what) in &self.other_files {
            output::on_stdout(format_args!(
                "{} stays: not a lock file ({what})",
                name(file)
            ));
        }
        for (file, reason) in &self.failed {
            output::warning(format_args!("{} stays: {reason}", name(file)));
        }
        for file in &self.torn {
            output::warning(format_args!(
                "{} was opened during its removal, and created again: restart every program that \
                 uses it without checking the path after locking, such as Python's \
                 oslo.concurrency",
                name(file)
            ));
        }
        let count = |n: usize, what: &str| match n {
            1 => format!("1 {what}"),
            n => format!("{n} {what}s"),
        };
        output::on_stdout(format_args!(
            "{removed} {}, {} in use, {} in doubt, {} left alone",
            count(locks(&self.removed).len(), "lock file"),
            in_use.len(),
            self.failed.len(),
            count(self.other_files.len(), "other file")
        ));
        if self.failed.is_empty() && self.torn.is_empty() {
            0
        } else {
            NOT_ALL
        }
    }
}

fn what_of(user: &User) -> String {
    let does = match user.role {
        Role::Holds(_) => "holds it",
        Role::Waits(_) => "waits for it",
        Role::HasOpen => "has it open",
    };
    match &user.process {
        Some(process) => format!(
            "process {} {does}: {}",
            process.pid,
            output::shorten(&output::printable(&process.command), output::LONGEST)
        ),
        None => format!("a process visible only to root {does}"),
    }
}

fn name(file: &Path) -> String {
    output::printable(
        &file
            .file_name()
            .unwrap_or(OsStr::new("?"))
            .to_string_lossy(),
    )
}
