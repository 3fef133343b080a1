//! The options of `init`.

use clap::{Args, ValueEnum};

#[derive(Args, Clone, Debug)]
pub struct InitOptions {
    /// The name of the lock [default: the package's]
    #[arg(long, value_name = "NAME")]
    pub lock: Option<String>,
    /// In which language the worker is written that takes the lock [default: rust, or it is asked
    /// for]
    #[arg(long, value_enum)]
    pub worker: Option<WorkerLanguage>,
    /// Which service runs it [default: what the project seems to use, or it is asked for]
    #[arg(long, value_enum)]
    pub ci: Option<Service>,
    /// Overwrite files that are there
    #[arg(long)]
    pub force: bool,
    /// Ask nothing, and take the defaults
    #[arg(long, short)]
    pub yes: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum WorkerLanguage {
    /// An example of this package, with `lockutils-harness`
    Rust,
    Python,
    #[value(name = "javascript")]
    JavaScript,
    Shell,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Service {
    #[value(name = "github")]
    GitHub,
    #[value(name = "gitlab")]
    GitLab,
    /// No file for CI
    None,
}
