//! Errors that end an exploration.

use std::io;

use crate::engines::ServerError;
use crate::protocol::Answer;
use crate::workers::WorkerError;

/// An error of the explorer or of its workers. Defects of the lock are an [`End`](super::End).
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ExploreError {
    /// The system has no ptrace(2) that stops a process at its system calls.
    #[error(
        "explore needs Linux: it schedules system calls by ptrace(2), which {system} does not have \
         in that form; run it in a Linux container or virtual machine"
    )]
    System {
        /// Its name, as in `std::env::consts::OS`.
        system: &'static str,
    },
    /// The explorer does not support this processor.
    #[error("explore runs on x86-64 and aarch64 only, and this is {architecture}")]
    Processor {
        /// Its name, as in `std::env::consts::ARCH`.
        architecture: &'static str,
    },
    /// The directory for the workers could not be created or read.
    #[error("the directory for the workers cannot be created or read: {0}")]
    Directory(#[source] io::Error),
    /// The server cannot be used.
    #[error(transparent)]
    Server(#[from] ServerError),
    /// No lease can be ended.
    #[error(
        "the scenario `expire` needs a server whose leases can be ended: name its engine by \
         --servers ENGINE or --server ENGINE://HOST:PORT"
    )]
    NoLeases,
    /// A worker did not start.
    #[error(transparent)]
    Start(#[from] WorkerError),
    /// The kernel does not permit tracing a worker.
    #[error(
        "the worker cannot be traced ({0}): ptrace must be allowed. In a container add \
         --cap-add=SYS_PTRACE, and a seccomp profile that lets ptrace(2) pass; elsewhere see \
         /proc/sys/kernel/yama/ptrace_scope, which must not be 3; a debugger or strace around \
         the worker prevents it as well"
    )]
    Trace(#[source] io::Error),
    /// The process that forks workers has ended.
    #[error("the zygote has ended: {0}")]
    ZygoteGone(#[source] io::Error),
    /// A worker did not react in time.
    #[error("worker {worker} has not {expected}{stderr}")]
    Silent {
        /// Number of the worker.
        worker: usize,
        /// The missing action, as a past participle.
        expected: &'static str,
        /// The end of its standard error, as part of the sentence.
        stderr: String,
    },
    /// A command could not be sent to a worker.
    #[error("{0}")]
    Command(#[source] io::Error),
    /// A worker did not answer.
    #[error("no answer")]
    NoAnswer,
    /// The worker that should die in the section did not acquire the lock.
    #[error("the first worker answered `{0}` to `acquire`")]
    FirstWorker(Answer),
}
