//! The options of `test`, `nextest` and `with`.

use std::ffi::OsString;
use std::path::PathBuf;

use clap::{Args, ValueEnum};

use super::directory::DirectoryOptions;
use super::values::seed;

#[derive(Args, Clone, Debug, Default)]
pub struct TestOptions {
    /// Scope with its own lock path: the run, each test binary, or each test (nextest only)
    /// [default: run]
    #[arg(long, value_enum, value_name = "SCOPE")]
    pub isolate: Option<Isolate>,
    #[command(flatten)]
    pub directory: DirectoryOptions,
    /// Fail if a lock is still held after the tests
    #[arg(long)]
    pub deny_leaks: bool,
    /// Number of runs, each with its own seed in LOCKUTILS_SEED [default: 1]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..))]
    pub runs: Option<u32>,
    /// Stop after the first failed run; without --runs, repeat until a run fails
    #[arg(long)]
    pub until_failure: bool,
    /// Seed of the first run [default: random if there are several runs, and printed]
    #[arg(long, value_name = "SEED", value_parser = seed)]
    pub seed: Option<u64>,
    /// JSON file for the lock files and leaks of each run (docs/reference/test-json.md)
    #[arg(long, value_name = "FILE")]
    pub report: Option<PathBuf>,
    /// Print the commands without running them
    #[arg(long)]
    pub dry_run: bool,
}

impl TestOptions {
    /// The options that affect a repetition of one failed run.
    pub fn words(&self) -> Vec<OsString> {
        let mut words = Vec::new();
        if let Some(isolate) = self.isolate {
            words.extend(["--isolate".into(), isolate.word().into()]);
        }
        if let Some(path) = &self.directory.lock_path {
            words.extend(["--lock-path".into(), path.into()]);
        }
        if self.deny_leaks {
            words.push("--deny-leaks".into());
        }
        words
    }
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum, serde::Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Isolate {
    #[default]
    Run,
    Binary,
    Test,
}

impl Isolate {
    pub fn word(self) -> &'static str {
        match self {
            Isolate::Run => "run",
            Isolate::Binary => "binary",
            Isolate::Test => "test",
        }
    }
}
