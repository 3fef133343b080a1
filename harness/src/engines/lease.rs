//! Leases that a server has granted.

use std::time::Duration;

/// A lease on a server: a key that runs out, or a session that holds a lock.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Lease {
    /// Its name, for the command that ends it.
    pub id: String,
    /// A value that changes if the lease is granted anew.
    pub stamp: String,
    /// The time until it runs out; `None` for a session.
    pub left: Option<Duration>,
    /// The port from which its owner is connected, if the server knows it.
    pub port: Option<u16>,
}

impl Lease {
    /// A row with name, stamp, milliseconds left and port; the last two may be missing or empty.
    pub(super) fn from_row(row: &[String]) -> Option<Self> {
        let number = |at: usize| row.get(at).and_then(|text| text.trim().parse::<u64>().ok());
        Some(Lease {
            id: row.first()?.clone(),
            stamp: row.get(1).cloned().unwrap_or_default(),
            left: number(2).map(Duration::from_millis),
            port: number(3).and_then(|port| port.try_into().ok()),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_at_the_end_may_be_missing() {
        let row = |words: &[&str]| {
            let words: Vec<String> = words.iter().map(|word| (*word).to_owned()).collect();
            Lease::from_row(&words)
        };
        let lease = row(&["key", "a1", "900", "40000"]).unwrap();
        assert_eq!(lease.left, Some(Duration::from_millis(900)));
        assert_eq!(lease.port, Some(40_000));
        let lease = row(&["7", "", "", "123456"]).unwrap();
        assert_eq!((lease.left, lease.port), (None, None));
        assert!(row(&[]).is_none());
    }
}
