//! The options of `test`, `nextest` and `with`.

use std::ffi::OsString;
use std::path::PathBuf;

use clap::{Args, ValueEnum};

use super::directory::DirectoryOptions;
use super::values::seed;

#[derive(Args, Clone, Debug, Default)]
pub struct TestOptions {
    /// What gets a directory of its own: the run, each test binary, or (nextest) each test
    #[arg(long, value_enum, value_name = "WHAT")]
    pub isolate: Option<Isolate>,
    #[command(flatten)]
    pub directory: DirectoryOptions,
    /// Fail if a lock is still held when the tests are over
    #[arg(long)]
    pub deny_leaks: bool,
    /// Run all of it N times, each time with another seed in LOCKUTILS_SEED
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..))]
    pub runs: Option<u32>,
    /// Stop at the first run that fails; without --runs, run until one does
    #[arg(long)]
    pub until_failure: bool,
    /// Seed of the first run [default: a new one, and printed, if there are several runs]
    #[arg(long, value_name = "SEED", value_parser = seed)]
    pub seed: Option<u64>,
    /// Write used lock files and leaks of each run as JSON
    #[arg(long, value_name = "FILE")]
    pub report: Option<PathBuf>,
    /// Print the commands, and run nothing
    #[arg(long)]
    pub dry_run: bool,
}

impl TestOptions {
    /// The options that matter when one failed run is to be repeated.
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
