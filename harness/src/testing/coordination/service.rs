//! The interface through which the suite uses the service.

use std::net::SocketAddr;
use std::time::Duration;

/// A service that runs for one trial, and ends when it is dropped.
///
/// Trials that need what a service does not offer are *not known*: its locks do not depend on a
/// server, or the server cannot be stopped because others use it.
pub trait Service: Send + Sync {
    /// The URL for clients.
    fn url(&self) -> String;

    /// The time after which the service frees a lock that is not renewed, if it does.
    fn lease(&self) -> Option<Duration> {
        None
    }

    /// The address of its server, to be put behind a proxy.
    fn address(&self) -> Option<SocketAddr> {
        None
    }

    /// The URL for clients that connect to a proxy at `address`.
    fn url_at(&self, address: SocketAddr) -> Option<String> {
        let _ = address;
        None
    }

    /// The process of the server, if it may be stopped and restarted.
    fn server(&self) -> Option<&dyn ServerControl> {
        None
    }

    /// Returns `true` if the server has a holder of the lock, without asking through the client
    /// under test. `None` if that cannot be told.
    fn is_held(&self, name: &str) -> Option<bool> {
        let _ = name;
        None
    }

    /// Removes the lock at the server, as an administrator would. Returns `false` if it cannot be
    /// done.
    fn remove(&self, name: &str) -> bool {
        let _ = name;
        false
    }
}

/// Control over the process of a server.
pub trait ServerControl {
    /// Stops the server in the middle of what it does (SIGSTOP).
    fn pause(&self);

    /// Lets it go on (SIGCONT).
    fn resume(&self);

    /// Kills the server.
    fn kill(&self);

    /// Starts it again with the data that it had, and returns when it listens.
    fn start(&self);
}
