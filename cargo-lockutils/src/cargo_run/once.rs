//! One run: its lock path, its commands and their result.

use std::collections::BTreeSet;
use std::env;
use std::ffi::{OsStr, OsString};
use std::process::Command;

use anyhow::Result;

use super::CargoRun;
use super::injection::Injection;
use super::record::Done;
use crate::cargo_options::{Argument, Arguments, CargoOption, Parsed};
use crate::guardian::Guardian;
use crate::leaks::Leak;
use crate::lock_directory::{LockDirectory, VARIABLE};
use crate::run_mark::RunMark;
use crate::sys::Status;
use crate::{child, leaks, output};

/// Exit status if the tests passed but leaked locks, with `--deny-leaks`.
const LEAKED: Status = 1;
/// Maximum number of lock files to name; the rest is only counted.
const NAMED: usize = 8;
/// Environment variable with the seed for the harness.
const SEED: &str = "LOCKUTILS_SEED";

/// One run.
pub struct Once<'a> {
    pub run: &'a CargoRun,
    seed: Option<u64>,
    directory: LockDirectory,
    mark: RunMark,
    /// `None` in a dry run.
    guardian: Option<Guardian>,
    /// Lock files that existed before the run.
    before: BTreeSet<String>,
    leaks: BTreeSet<Leak>,
    left_nothing: bool,
}

impl<'a> Once<'a> {
    pub fn begin(run: &'a CargoRun, seed: Option<u64>) -> Result<Self> {
        let dry = run.options.dry_run;
        let directory = match (&run.options.directory.lock_path, dry) {
            (Some(path), true) => LockDirectory::imagined(path)?,
            _ => LockDirectory::make(&run.options.directory)?,
        };
        let mark = RunMark::new();
        let guardian = match dry {
            true => None,
            false => Some(directory.guard(Some(&mark))?),
        };
        Ok(Once {
            run,
            seed,
            mark,
            guardian,
            before: match directory.is_fresh() {
                true => BTreeSet::new(),
                false => leaks::lock_files(directory.lock_path()),
            },
            directory,
            leaks: BTreeSet::new(),
            left_nothing: true,
        })
    }

    /// Runs `cargo SUBCOMMAND… ARGUMENTS…`. With `isolated`, `--isolate` applies to the test
    /// binaries.
    pub fn cargo(
        &mut self,
        subcommand: &[&str],
        table: &[CargoOption],
        arguments: &[OsString],
        isolated: bool,
    ) -> Result<Status> {
        let parsed = Arguments::of(table, arguments);
        let injection = Injection::prepare(&self.directory, &parsed, self.isolate(isolated))?;
        let (before_dashes, dashes) = parsed.around_dashes();
        let mut command = Command::new(&self.run.cargo);
        command.args(subcommand);
        // Of several files, the last one wins in cargo, but the first one in nextest, which passes
        // all of them to cargo.
        if let Some(first) = injection.first_config_file() {
            command.arg("--config").arg(first);
        }
        let superseded = |parsed: &&Parsed| match &parsed.argument {
            Argument::Option(option, Some(value)) => {
                option.long == "config" && injection.supersedes(value)
            }
            _ => false,
        };
        let superseded: Vec<_> = parsed
            .parsed
            .iter()
            .filter(superseded)
            .map(|parsed| parsed.at..parsed.at + parsed.words)
            .collect();
        let kept = before_dashes
            .iter()
            .enumerate()
            .filter(|(at, _)| !superseded.iter().any(|words| words.contains(at)));
        command.args(kept.map(|(_, word)| word));
        if let Some(last) = injection.config_file() {
            command.arg("--config").arg(last);
        }
        command.args(self.run.color).args(dashes);
        self.start(command)
    }

    /// Runs a command with our additions.
    pub fn command(&mut self, words: &[OsString]) -> Result<Status> {
        let isolate = self.isolate(true);
        let injection = Injection::for_command(&self.directory, words, isolate)?;
        let words = injection.words(words);
        let mut command = Command::new(&words[0]);
        command.args(&words[1..]);
        if let Some((name, value)) = injection.variable() {
            command.env(name, value);
        }
        self.start(command)
    }

    fn isolate(&self, isolated: bool) -> crate::cli::Isolate {
        match isolated {
            true => self.run.isolate(),
            false => crate::cli::Isolate::Run,
        }
    }

    fn start(&mut self, mut command: Command) -> Result<Status> {
        command.env(VARIABLE, self.directory.lock_path());
        if let Some(seed) = self.seed {
            command.env(SEED, format!("{seed:#x}"));
        }
        if self.run.options.dry_run {
            output::result(shown(&command))?;
            return Ok(0);
        }
        if self.run.verbose {
            output::note(format_args!(
                "running {}",
                output::printable(&shown(&command))
            ));
        }
        for (name, _) in env::vars_os() {
            let name = name.to_string_lossy();
            // `cargo run`, which the alias uses to call us, describes our own package in these.
            if name.starts_with("CARGO_PKG_") || name.starts_with("CARGO_MANIFEST_") {
                command.env_remove(&*name);
            }
        }
        let ended = child::run(command, &self.mark, self.guardian.as_ref())?;
        // Only a surviving process can still hold a lock.
        if !ended.left_nothing() {
            self.leaks.extend(leaks::held(self.directory.lock_path()));
            ended.end_what_is_left();
        }
        self.left_nothing &= ended.left_nothing();
        Ok(ended.status)
    }

    /// Prints notes about the run, removes the directory and returns the result.
    pub fn finish(self, status: Result<Status>) -> Result<Done> {
        let mut status = match status {
            Ok(status) => status,
            Err(error) => {
                self.directory.finish(true, self.left_nothing)?;
                if let Some(guardian) = self.guardian {
                    guardian.dismiss();
                }
                return Err(error);
            }
        };
        let used: Vec<String> = leaks::lock_files(self.directory.lock_path())
            .difference(&self.before)
            .cloned()
            .collect();
        if !used.is_empty() && !self.run.options.dry_run {
            output::note(what_was_used(&used, self.directory.is_fresh()));
        }
        for leak in &self.leaks {
            output::warning(format_args!(
                "leak: {}",
                output::printable(&leak.to_string())
            ));
        }
        if !self.leaks.is_empty() && self.run.options.deny_leaks && status == 0 {
            output::warning("the run fails because of the leaks (--deny-leaks)");
            status = LEAKED;
        }
        let done = Done {
            seed: self.seed.map(|seed| format!("{seed:#x}")),
            exit_status: status,
            lock_path: self.directory.lock_path().to_string_lossy().into_owned(),
            used,
            leaks: self.leaks.into_iter().collect(),
        };
        self.directory.finish(status != 0, self.left_nothing)?;
        if let Some(guardian) = self.guardian {
            guardian.dismiss();
        }
        Ok(done)
    }
}

fn what_was_used(used: &[String], fresh: bool) -> String {
    let more = used.len().saturating_sub(NAMED);
    let tail = match more {
        0 => String::new(),
        more => format!(" and {more} more"),
    };
    let count = match (used.len(), fresh) {
        (1, true) => "1 lock file was used".to_owned(),
        (n, true) => format!("{n} lock files were used"),
        (1, false) => "1 lock file is new".to_owned(),
        (n, false) => format!("{n} lock files are new"),
    };
    let names: Vec<String> = used[..used.len() - more]
        .iter()
        .map(|name| output::printable(name))
        .collect();
    format!("{count}: {}{tail}", names.join(", "))
}

/// The command as a user could type it, with our additions to its environment.
fn shown(command: &Command) -> String {
    let mut words: Vec<String> = command
        .get_envs()
        .filter_map(|(name, value)| {
            let value = shell_words::quote(value?.to_str()?).into_owned();
            Some(format!("{}={value}", name.to_string_lossy()))
        })
        .collect();
    let quoted = |word: &OsStr| shell_words::quote(&word.to_string_lossy()).into_owned();
    words.push(quoted(command.get_program()));
    words.extend(command.get_args().map(quoted));
    words.join(" ")
}
