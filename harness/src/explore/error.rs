//! Why an exploration cannot go on.

use std::io;

use crate::protocol::Answer;
use crate::workers::WorkerError;

/// An error of the explorer or of its workers; what the lock does wrong is an [`End`](super::End).
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ExploreError {
    /// The explorer does not know this processor.
    #[error("explore runs on x86-64 and aarch64 only, and this is {architecture}")]
    Processor {
        /// Its name, as in `std::env::consts::ARCH`.
        architecture: &'static str,
    },
    /// The directory for the workers could not be made or read.
    #[error("no directory for the workers: {0}")]
    Directory(#[source] io::Error),
    /// A worker did not start.
    #[error(transparent)]
    Start(#[from] WorkerError),
    /// The kernel does not let us trace a worker.
    #[error(
        "the worker cannot be traced ({0}): ptrace must be allowed. In a container add \
         --cap-add=SYS_PTRACE, and a seccomp profile that lets ptrace(2) pass; elsewhere see \
         /proc/sys/kernel/yama/ptrace_scope, which must not be 3; a debugger or strace around \
         the worker is in the way as well"
    )]
    Trace(#[source] io::Error),
    /// The process that forks workers has ended.
    #[error("the zygote is gone: {0}")]
    ZygoteGone(#[source] io::Error),
    /// A worker did not do in time what was expected of it.
    #[error("worker {worker} has not {expected}{stderr}")]
    Silent {
        /// Number of the worker.
        worker: usize,
        /// What was expected, as a past participle.
        expected: &'static str,
        /// The end of its standard error, as part of the sentence.
        stderr: String,
    },
    /// A worker could not be told anything.
    #[error("{0}")]
    Command(#[source] io::Error),
    /// A worker answered with nothing.
    #[error("no answer")]
    NoAnswer,
    /// The worker that is to die in the section did not get there.
    #[error("the first worker answered `{0}` to `acquire`")]
    FirstWorker(Answer),
}
