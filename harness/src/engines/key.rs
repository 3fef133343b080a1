//! Keys on a server.

use std::time::Duration;

use super::lease::Lease;

/// A key on a server, or a session with its locks, for display.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Key {
    /// Its name.
    pub name: String,
    /// Its value, or the locks of a session.
    pub value: String,
    /// The time until it runs out, if it does.
    pub left: Option<Duration>,
}

impl Key {
    /// A row with name, value and milliseconds left, which may be missing or empty.
    pub(super) fn from_row(row: &[String]) -> Option<Self> {
        Some(Key::from(Lease::from_row(row)?))
    }
}

impl From<Lease> for Key {
    /// A server that lists leases only.
    fn from(lease: Lease) -> Self {
        Key {
            name: lease.id,
            value: lease.stamp,
            left: lease.left,
        }
    }
}
