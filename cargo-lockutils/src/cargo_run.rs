//! Cargo, run one or more times under one lock path.

use std::collections::BTreeSet;
use std::env;
use std::path::PathBuf;
use std::process::Command;

use anyhow::{Context, Result};
use toml::{Table, Value};

use crate::child;
use crate::cli::{Isolate, RUNNER, TestOptions};
use crate::lock_directory::{ConfigFile, LockDirectory, VARIABLE};
use crate::settings::{Workspace, value_of};
use crate::{PassedOn, leaks, say};

/// The exit status when the tests passed and left locks behind that were not to be left behind.
const LEAKED: u8 = 1;
/// So many lock files are named; of more only the number is told.
const NAMED: usize = 8;

/// One run of `cargo lockutils test` or `nextest`.
pub struct CargoRun {
    cargo: PathBuf,
    color: Option<&'static str>,
    workspace: Workspace,
    options: TestOptions,
    directory: LockDirectory,
    leaks: BTreeSet<leaks::Leak>,
}

impl CargoRun {
    /// The run, and the arguments for `runner` (`test` or `nextest`): those that are configured, and then those that were given.
    pub fn prepare(
        runner: &str,
        options: TestOptions,
        color: Option<&'static str>,
        passed_on: PassedOn,
    ) -> Result<(Self, PassedOn)> {
        let cargo = env::var_os("CARGO").map_or_else(|| PathBuf::from("cargo"), PathBuf::from);
        let workspace = Workspace::load(&cargo, &passed_on)?;
        let options = workspace.complete(options)?;
        let passed_on = workspace.arguments(runner, passed_on)?;
        let directory = LockDirectory::make(&options.directory)?;
        let run = CargoRun {
            cargo,
            color,
            workspace,
            options,
            directory,
            leaks: BTreeSet::new(),
        };
        Ok((run, passed_on))
    }

    pub fn isolate(&self) -> Isolate {
        self.options.isolate.unwrap_or_default()
    }

    pub fn has_library(&self) -> bool {
        self.workspace.has_library()
    }

    /// Runs `cargo SUBCOMMAND… ARGUMENTS…`, with a test runner of ours if tests are isolated from each other and `runner` is set.
    pub fn cargo(&mut self, subcommand: &[&str], arguments: &PassedOn, runner: bool) -> Result<u8> {
        let config = self.write_config(runner.then_some(arguments))?;
        let mut command = Command::new(&self.cargo);
        command
            .args(subcommand)
            .arg("--config")
            .arg(config.path())
            .args(self.color)
            .args(arguments)
            .env(VARIABLE, self.directory.lock_path());
        for (name, _) in env::vars_os() {
            let name = name.to_string_lossy();
            // `cargo run`, by which the alias calls us, describes our own package in these.
            if name.starts_with("CARGO_PKG_") || name.starts_with("CARGO_MANIFEST_") {
                command.env_remove(&*name);
            }
        }
        let ended = child::run(command)?;
        if !ended.left_nothing() {
            self.leaks.extend(leaks::held(self.directory.lock_path()));
        }
        ended.end_what_is_left();
        Ok(ended.status)
    }

    /// A project that sets the variable itself, with `force`, overrides the environment: only cargo's own `--config` goes before it.
    fn write_config(&self, runner_for: Option<&PassedOn>) -> Result<ConfigFile> {
        let lock_path = self.directory.lock_path();
        let lock_path = lock_path
            .to_str()
            .with_context(|| format!("the lock path {} is not valid UTF-8", lock_path.display()))?;
        let variable = Table::from_iter([
            ("value".to_owned(), Value::from(lock_path)),
            ("force".to_owned(), Value::from(true)),
        ]);
        let mut config = Table::from_iter([(
            "env".to_owned(),
            Value::from(Table::from_iter([(
                VARIABLE.to_owned(),
                Value::from(variable),
            )])),
        )]);
        if let Some(arguments) = runner_for.filter(|_| self.isolate() != Isolate::Run) {
            let (target, words) = self.runner(arguments)?;
            let runner = Table::from_iter([("runner".to_owned(), Value::from(words))]);
            config.insert(
                "target".to_owned(),
                Value::from(Table::from_iter([(target, Value::from(runner))])),
            );
        }
        self.directory.write_config(&toml::to_string(&config)?)
    }

    /// The target that is tested, and our runner for it, in front of the one that the project has.
    fn runner(&self, arguments: &PassedOn) -> Result<(String, Vec<String>)> {
        let config = cargo_config2::Config::load()
            .context("cargo's configuration, which may set a runner, cannot be read")?;
        let chosen = value_of("--target", arguments);
        let targets = config.build_target_for_config(chosen)?;
        let target = match targets.first() {
            Some(target) => target.triple().to_owned(),
            None => config.host_triple()?.to_owned(),
        };
        let ours = env::current_exe().context("our own path")?;
        let mut words = vec![
            ours.to_string_lossy().into_owned(),
            RUNNER.to_owned(),
            self.isolate().word().to_owned(),
            "--".to_owned(),
        ];
        if let Some(theirs) = config.runner(&target)? {
            words.push(theirs.path.to_string_lossy().into_owned());
            words.extend(
                theirs
                    .args
                    .iter()
                    .map(|word| word.to_string_lossy().into_owned()),
            );
        }
        Ok((target, words))
    }

    /// [`finish`](Self::finish), also if cargo could not be run.
    pub fn finish_with(self, status: Result<u8>) -> Result<u8> {
        match status {
            Ok(status) => self.finish(status),
            Err(error) => {
                self.directory.finish(true, false)?;
                Err(error)
            }
        }
    }

    /// Says what a developer wants to know, removes the directory, and gives the exit status of the whole run.
    fn finish(self, mut status: u8) -> Result<u8> {
        let used: Vec<String> = leaks::lock_files(self.directory.lock_path())
            .into_iter()
            .collect();
        if !used.is_empty() {
            let more = used.len().saturating_sub(NAMED);
            let tail = if more > 0 {
                format!(" and {more} more")
            } else {
                String::new()
            };
            let files = if used.len() == 1 {
                "lock file was"
            } else {
                "lock files were"
            };
            say::note(format_args!(
                "{} {files} used: {}{tail}",
                used.len(),
                used[..used.len() - more].join(", ")
            ));
        }
        for leak in &self.leaks {
            say::warning(format_args!("leak: {leak}"));
        }
        if !self.leaks.is_empty() && self.options.deny_leaks && status == 0 {
            say::warning("the run fails, since leaks are denied");
            status = LEAKED;
        }
        self.directory.finish(status != 0, false)?;
        Ok(status)
    }
}
