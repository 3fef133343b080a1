//! The options of `test` and `nextest`.

use clap::{Args, ValueEnum};

use super::directory::DirectoryOptions;

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
