//! Runs of cargo or another command, each under its own lock path.

mod injection;
mod once;
mod record;
mod runner;
mod seeds;

use std::env;
use std::ffi::OsString;
use std::path::PathBuf;

use anyhow::{Result, bail};

use crate::cargo_options::{Argument, Arguments, CargoOption, NEXTEST, TEST};
use crate::cli::PassedOn;
use crate::cli::{Isolate, TestOptions};
use crate::settings::{Doctests, Selection, Workspace};
use crate::sys::Status;
use crate::{child, output};

pub use once::Once;
use record::Record;
use seeds::Seeds;

/// The cargo command that runs the tests.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Runner {
    Test,
    Nextest,
}

impl Runner {
    pub fn word(self) -> &'static str {
        match self {
            Runner::Test => "test",
            Runner::Nextest => "nextest",
        }
    }

    pub fn table(self) -> &'static [CargoOption] {
        match self {
            Runner::Test => TEST,
            Runner::Nextest => NEXTEST,
        }
    }
}

/// A command to run once or repeatedly.
pub struct CargoRun {
    cargo: PathBuf,
    color: Option<&'static str>,
    pub options: TestOptions,
    /// The command line that repeats the run, such as `cargo lockutils test -p x`.
    again: Vec<OsString>,
    verbose: bool,
    /// `true` if cargo continues after failures; further steps of the run continue too.
    pub no_fail_fast: bool,
}

/// The cargo that called us, or else the one in PATH.
pub fn cargo() -> PathBuf {
    env::var_os("CARGO").map_or_else(|| PathBuf::from("cargo"), PathBuf::from)
}

impl CargoRun {
    /// The run, and the arguments for `runner`: first the configured ones, then those given.
    pub fn prepare(
        runner: Runner,
        options: TestOptions,
        color: Option<&'static str>,
        mut passed_on: PassedOn,
    ) -> Result<(Self, PassedOn)> {
        let cargo = cargo();
        // Users write `nextest run` out of habit.
        if runner == Runner::Nextest && passed_on.first().is_some_and(|word| word == "run") {
            passed_on.remove(0);
        }
        let given = Arguments::of(runner.table(), &passed_on);
        let workspace = Workspace::load_if_it_says_something(&cargo, &given)?;
        let mut again = vec![
            OsString::from("cargo"),
            "lockutils".into(),
            runner.word().into(),
        ];
        again.extend(options.words());
        again.extend_from_slice(&passed_on);
        let (options, passed_on) = match workspace {
            None => (options, passed_on),
            Some(workspace) => (
                workspace.complete(options)?,
                workspace.arguments(runner.word(), passed_on)?,
            ),
        };
        let arguments = Arguments::of(runner.table(), &passed_on);
        if arguments.has("quiet") {
            output::be_quiet();
        }
        let run = CargoRun {
            cargo,
            color,
            options,
            again,
            verbose: arguments.has("verbose") || arguments.has("cargo-verbose"),
            no_fail_fast: arguments.has("no-fail-fast") || arguments.has("nff"),
        };
        run.check()?;
        Ok((run, passed_on))
    }

    /// A run of any command, for `cargo lockutils with`.
    pub fn of_command(options: TestOptions, command: &[OsString]) -> Result<Self> {
        let mut again = vec![OsString::from("cargo"), "lockutils".into(), "with".into()];
        again.extend(options.words());
        again.push("--".into());
        again.extend_from_slice(command);
        let run = CargoRun {
            cargo: cargo(),
            color: None,
            options,
            again,
            verbose: false,
            no_fail_fast: true,
        };
        run.check()?;
        Ok(run)
    }

    fn check(&self) -> Result<()> {
        let options = &self.options;
        if options.directory.keep && options.directory.lock_path.is_some() {
            bail!(
                "[workspace.metadata.lockutils] sets both `keep` and `lock-path`: remove `keep`, \
                 because `lock-path` always stays"
            );
        }
        Ok(())
    }

    pub fn isolate(&self) -> Isolate {
        self.options.isolate.unwrap_or_default()
    }

    /// The arguments with which `cargo test --doc` runs the doctests of the selected packages;
    /// `None` if there are no doctests, because cargo would fail.
    pub fn doctest_arguments(&self, words: &[OsString]) -> Result<Option<Vec<OsString>>> {
        let arguments = Arguments::of(TEST, words);
        let workspace = Workspace::load(&self.cargo, &arguments)?;
        let packages = match workspace.doctests(&self.cargo, &Selection::of(&arguments))? {
            Doctests::None => return Ok(None),
            Doctests::OfAll => return Ok(Some(words.to_vec())),
            Doctests::Of(packages) => packages,
        };
        let mut named: Vec<OsString> = packages
            .iter()
            .map(|package| OsString::from(format!("--package={package}")))
            .collect();
        let selects = |argument: &Argument| {
            matches!(argument, Argument::Option(option, _)
                if matches!(option.long, "package" | "workspace" | "all" | "exclude"))
        };
        for parsed in &arguments.parsed {
            if !selects(&parsed.argument) {
                named.extend_from_slice(&words[parsed.at..parsed.at + parsed.words]);
            }
        }
        Ok(Some(named))
    }

    /// Calls `run` as often as requested. Returns the exit status of the first failed run, or 0.
    pub fn repeat(self, mut run: impl FnMut(&mut Once<'_>) -> Result<Status>) -> Result<Status> {
        let seeds = Seeds::of(&self.options);
        let mut record = Record::begin(self.options.report.as_deref())?;
        let mut failed = Vec::new();
        let mut times = 0;
        for seed in seeds.iter() {
            if seeds.are_several() {
                output::note(seeds.heading(times + 1, seed));
            }
            let mut once = Once::begin(&self, seed)?;
            let status = run(&mut once);
            let done = once.finish(status)?;
            times += 1;
            let status = done.exit_status;
            record.add(done);
            if status != 0 {
                failed.push((times, seed, status));
            }
            if seeds.are_several() && child::interrupted().is_some() {
                // An interrupted run does not count as failed.
                output::warning(format_args!("interrupted in run {times}"));
                failed.pop();
                let before = failed.first().map(|&(_, _, status)| status);
                // Even if this command succeeded, further runs are missing.
                let status = match status {
                    0 => child::interrupted().unwrap_or(status),
                    status => status,
                };
                if let Some(text) = seeds.summary(&failed, times - 1, &self.again) {
                    output::note(text);
                }
                record.write(before.unwrap_or(status))?;
                return Ok(before.unwrap_or(status));
            }
            if child::interrupted().is_some() || (status != 0 && self.options.until_failure) {
                break;
            }
        }
        let exit_status = failed.first().map_or(0, |&(_, _, status)| status);
        if let Some(text) = seeds.summary(&failed, times, &self.again) {
            match exit_status {
                0 => output::note(text),
                _ => output::warning(text),
            }
        }
        record.write(exit_status)?;
        Ok(exit_status)
    }
}
