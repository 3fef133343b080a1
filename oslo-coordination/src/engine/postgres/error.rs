//! Errors of the server and of connections.

use std::error::Error as _;
use std::fmt;
use std::io;
use std::sync::Arc;
use std::time::Duration;

use tokio_postgres::error::{Severity, SqlState};

use crate::engine::contract::RequestError;

/// An error, with advice if there is any.
#[derive(Debug)]
struct Explained {
    error: tokio_postgres::Error,
    advice: &'static str,
}

/// Classifies the error of a request. What the server refuses is clear, unless its session ended.
pub(super) fn failed(error: tokio_postgres::Error) -> RequestError {
    let Some(answer) = error.as_db_error() else {
        return RequestError::unclear(explain(error));
    };
    let severity = answer.parsed_severity();
    let ended = matches!(severity, Some(Severity::Fatal | Severity::Panic));
    // Resources, an operator's intervention, a read-only server, an error inside the server.
    let passing = ["53", "57", "25", "40", "58", "XX"];
    let code = answer.code().code();
    RequestError {
        unclear: ended,
        transient: ended || passing.iter().any(|class| code.starts_with(class)),
        cause: Arc::new(explain(error)),
    }
}

/// Describes the error of a connection.
pub(super) fn not_connected(error: tokio_postgres::Error) -> RequestError {
    RequestError {
        unclear: false,
        transient: true,
        ..failed(error)
    }
}

fn explain(error: tokio_postgres::Error) -> Explained {
    let message = error.as_db_error().map_or("", |answer| answer.message());
    let advice = match error.code() {
        Some(&SqlState::UNDEFINED_OBJECT) if message.contains("idle_session_timeout") => {
            "; PostgreSQL 14 or later is needed"
        }
        _ if message.contains("startup parameter") => {
            "; connect to the server itself: locks belong to sessions, which a pooler would share"
        }
        _ => "",
    };
    Explained { error, advice }
}

pub(super) fn no_answer(limit: Duration) -> io::Error {
    let message = format!("no answer within {limit:?}");
    io::Error::new(io::ErrorKind::TimedOut, message)
}

impl fmt::Display for Explained {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Explained { error, advice } = self;
        match (error.as_db_error(), error.source()) {
            (Some(answer), _) => write!(f, "{}{advice}", answer.message()),
            (None, Some(cause)) => write!(f, "{error}: {cause}{advice}"),
            (None, None) => write!(f, "{error}{advice}"),
        }
    }
}

impl std::error::Error for Explained {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        Some(&self.error)
    }
}
