//! Errors that the gateway reports.

use std::fmt;

use hyper::StatusCode;

use crate::engine::contract::RequestError;

/// An answer that reports an error.
#[derive(Debug)]
pub(super) struct GatewayError {
    /// The status of HTTP; `None` if the error is in the answer itself.
    pub(super) status: Option<StatusCode>,
    pub(super) message: String,
}

/// The text of etcd for a lease that it does not know, or not any more.
pub(super) const UNKNOWN_LEASE: &str = "requested lease not found";

/// Returns `true` if the server does not know the lease.
pub(super) fn is_unknown_lease(error: &RequestError) -> bool {
    of(error).is_some_and(|error| error.message.contains(UNKNOWN_LEASE))
}

/// Returns `true` if the server wants a new login.
pub(super) fn is_unauthenticated(error: &RequestError) -> bool {
    let messages = ["invalid auth token", "user name is empty"];
    of(error).is_some_and(|error| {
        error.status == Some(StatusCode::UNAUTHORIZED)
            || messages
                .iter()
                .any(|message| error.message.contains(message))
    })
}

fn of(error: &RequestError) -> Option<&GatewayError> {
    error.cause.downcast_ref()
}

impl fmt::Display for GatewayError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

impl std::error::Error for GatewayError {}
