//! The options of `init`.

use clap::{Args, ValueEnum};

#[derive(Args, Clone, Debug)]
pub struct InitOptions {
    /// Name of the lock [default: the package's name]
    #[arg(long, value_name = "NAME")]
    pub lock: Option<String>,
    /// Language of the worker that acquires the lock [default: rust]
    #[arg(long, value_enum, value_name = "LANGUAGE")]
    pub worker: Option<WorkerLanguage>,
    /// CI service to write a workflow for [default: detected from the project]
    #[arg(long, value_enum, value_name = "SERVICE")]
    pub ci: Option<Service>,
    /// Overwrite existing files
    #[arg(long)]
    pub force: bool,
    /// Accept the defaults without asking
    #[arg(long, short)]
    pub yes: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum WorkerLanguage {
    /// Example target of this package, using `lockutils-harness`
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
    /// No workflow
    None,
}
