//! Errors of workers.

use std::io;
use std::path::PathBuf;
use std::process::ExitStatus;
use std::time::Duration;

use super::worker::describe;

/// A worker process that could not be started, or ended at once.
///
/// The sentences include their causes, so none has a source.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum WorkerError {
    /// The directories for its locks and its pipes could not be created.
    #[error("no directory for the workers below {}: {error}", base.display())]
    Directory {
        /// The directory that was to contain them.
        base: PathBuf,
        /// The error of the operating system.
        error: io::Error,
    },
    /// The operating system started no process.
    #[error("the worker cannot be started: {0}")]
    Start(io::Error),
    /// The process did not report that it is ready.
    #[error("the worker {problem}{}{stderr}", said(.output))]
    NotReady {
        /// The observed behaviour.
        problem: NotReady,
        /// The first line that it wrote, if any.
        output: Option<String>,
        /// The end of its standard error, as the end of a sentence.
        stderr: String,
    },
    /// Ten workers in one scenario did not become ready.
    #[error("10 workers did not start{stderr}")]
    ManyNotReady {
        /// The end of the last one's standard error, as the end of a sentence.
        stderr: String,
    },
    /// The user interrupted the run.
    #[error("interrupted before the worker was ready")]
    Interrupted,
    /// The process ended before any request.
    #[error("a new worker ended at once: {0}")]
    Gone(io::Error),
}

/// The behaviour of a worker that did not write `ready`.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum NotReady {
    /// It wrote other lines.
    #[error("printed 1000 lines without `ready`")]
    Output,
    /// It ended.
    #[error("{} before printing `ready`{background}", describe(*status))]
    Ended {
        /// The end of the process.
        status: ExitStatus,
        /// An explanation if a process that it started is still running, as the end of a sentence.
        background: &'static str,
    },
    /// It can no longer write anything.
    #[error("closed its standard output before printing `ready`")]
    Closed,
    /// It wrote nothing within this time.
    #[error("did not print `ready` within {} s", .0.as_secs())]
    Silent(Duration),
}

fn said(output: &Option<String>) -> String {
    let line = output.as_ref();
    line.map_or_else(String::new, |line| format!("; its first line: {line}"))
}
