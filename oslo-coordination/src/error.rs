use std::sync::Arc;

use oslo_concurrency::lockutils::ConfigError;

use crate::engine::{Cause, ConnectError};
use crate::lifecycle::{Failure, Released};

/// The reason why a lock was not acquired, was lost, or has no service. Each message says what to
/// do next.
#[derive(Clone, Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The URL of the service is wrong.
    #[error("coordination URL {url}: {problem}")]
    InvalidUrl {
        /// The URL without password and options.
        url: String,
        /// The problem, and what to write instead.
        problem: String,
    },
    /// No URL was given.
    #[error(
        "no coordination URL is set: set the environment variable OSLO_COORDINATION_URL, or \
         backend_url in the section [coordination] of the configuration file that the program reads"
    )]
    UrlRequired,
    /// The configuration file cannot be used.
    #[error(transparent)]
    Configuration(#[from] Arc<ConfigError>),
    /// The service cannot be reached.
    #[error("cannot connect to {address}: {source}")]
    Unreachable {
        /// The server, or the directory.
        address: String,
        /// The error from the connection.
        source: Cause,
    },
    /// The coordinator's thread cannot be started, or has ended.
    #[error("the coordinator's thread is not running: {reason}")]
    Stopped {
        /// The error from the operating system, or the panic's place.
        reason: String,
    },
    /// The engine cannot use the name.
    #[error("{name:?} cannot name a lock of {engine}: {problem}")]
    InvalidName {
        /// The name with its prefix.
        name: String,
        /// The engine.
        engine: &'static str,
        /// The problem with the name, and what to write instead.
        problem: &'static str,
    },
    /// The lock is held, and the caller chose not to wait.
    #[error("lock {name:?} is held; try again later, or wait for it with a timeout")]
    NotAcquired {
        /// The lock's name.
        name: String,
    },
    /// The lock was still held when the timeout expired. The wait is over for good: it never
    /// acquires the lock later.
    #[error(
        "lock {name:?} was still held when the timeout expired; allow more time, or find out who \
         holds it"
    )]
    Timeout {
        /// The lock's name.
        name: String,
    },
    /// The calling thread holds the lock and would wait for itself.
    #[error(
        "lock {name:?} is already held by this thread, which would wait for itself forever; \
         release it first"
    )]
    WouldDeadlock {
        /// The lock's name.
        name: String,
    },
    /// The server did not answer until the timeout expired, or at all if the caller does not wait.
    #[error("lock {name:?}: the server does not answer: {source}")]
    Unavailable {
        /// The lock's name.
        name: String,
        /// The last error from the connection.
        source: Cause,
    },
    /// The server refused the request.
    #[error("lock {name:?}: the server refused the request: {source}")]
    Refused {
        /// The lock's name.
        name: String,
        /// The server's answer.
        source: Cause,
    },
    /// The lock was lost while it was held: another holder may have been in the critical section at
    /// the same time.
    #[error(
        "lock {name:?} was lost while it was held, and may have had another holder since; give the \
         storage the token of each write, or the lock a longer lock_timeout"
    )]
    Lost {
        /// The lock's name.
        name: String,
    },
    /// The coordinator belongs to the parent of this forked process.
    #[error("lock {name:?}: this process was forked and must connect a coordinator of its own")]
    Forked {
        /// The lock's name.
        name: String,
    },
}

impl Error {
    /// An error for a URL that cannot be parsed. A password may be in it, so only its scheme is
    /// shown.
    pub(crate) fn invalid_url(url: &str, problem: String) -> Self {
        let scheme = url.split_once("://").map_or("", |(scheme, _)| scheme);
        Error::InvalidUrl {
            url: scheme.to_owned(),
            problem,
        }
    }

    pub(crate) fn acquire(name: &str, failure: Failure) -> Self {
        let name = name.to_owned();
        match failure {
            Failure::Busy => Error::NotAcquired { name },
            Failure::TimedOut => Error::Timeout { name },
            Failure::Unavailable(error) => Error::Unavailable {
                name,
                source: error.cause,
            },
            Failure::Refused(error) => Error::Refused {
                name,
                source: error.cause,
            },
        }
    }

    pub(crate) fn release(name: &str, released: Option<Released>) -> Result<(), Self> {
        let name = name.to_owned();
        match released {
            Some(Released::InTime) => Ok(()),
            Some(Released::Lost) => Err(Error::Lost { name }),
            Some(Released::Unconfirmed(error)) => Err(Error::Unavailable {
                name,
                source: error.cause,
            }),
            None => Err(Error::stopped()),
        }
    }

    pub(crate) fn connect(url: &str, error: ConnectError) -> Self {
        match error {
            ConnectError::Url(problem) => Error::InvalidUrl {
                url: url.to_owned(),
                problem,
            },
            ConnectError::Unreachable { address, cause } => Error::Unreachable {
                address,
                source: cause,
            },
        }
    }

    pub(crate) fn stopped() -> Self {
        Error::Stopped {
            reason: "it has panicked; connect again".to_owned(),
        }
    }

    pub(crate) fn no_thread(error: std::io::Error) -> Self {
        Error::Stopped {
            reason: error.to_string(),
        }
    }
}

impl From<ConfigError> for Error {
    fn from(error: ConfigError) -> Self {
        Error::Configuration(Arc::new(error))
    }
}

const _: fn() = || {
    fn is_shared<T: Send + Sync>() {}
    is_shared::<Error>();
    is_shared::<Arc<Error>>();
};
