//! Leases on a server and their owners.

use std::time::{Duration, Instant};

use crate::engines::Lease;

/// A lease with its owner.
#[derive(Clone, Debug)]
pub struct OwnedLease {
    lease: Lease,
    owner: Option<usize>,
    /// The time at which it runs out by itself, unless it is renewed.
    until: Option<Instant>,
}

/// Time by which the end of a lease may be known wrongly.
const MARGIN: Duration = Duration::from_millis(20);

impl OwnedLease {
    /// Returns `true` if this is the lease, and it was not granted anew.
    fn is(&self, lease: &Lease) -> bool {
        self.lease.id == lease.id && self.lease.stamp == lease.stamp
    }

    fn is_over(&self, now: Instant) -> bool {
        self.until.is_some_and(|until| until <= now)
    }
}

/// All leases of the lock, as of the last request.
#[derive(Clone, Debug, Default)]
pub struct Leases(Vec<OwnedLease>);

impl Leases {
    /// Records the leases after a request of `by`. A lease that is new, or granted anew, is that of
    /// the worker which is connected from its port, or else that of `by`.
    ///
    /// Returns the workers that have got one, and those of which one has run out by itself.
    pub fn learn(
        &mut self,
        leases: Vec<Lease>,
        by: usize,
        owner: impl Fn(u16) -> Option<usize>,
        now: Instant,
    ) -> (Vec<usize>, Vec<usize>) {
        let mut granted = Vec::new();
        let is_left = |known: &&OwnedLease| leases.iter().any(|lease| known.is(lease));
        let gone = self.0.iter().filter(|known| !is_left(known));
        let gone = gone.filter(|known| known.is_over(now + MARGIN));
        let expired = gone.filter_map(|known| known.owner).collect();
        let with_owner = |lease: Lease| {
            let known = self.0.iter().find(|known| known.is(&lease));
            let owner = match known {
                Some(known) => known.owner,
                None => match lease.port {
                    Some(port) => owner(port),
                    None => Some(by),
                },
            };
            if known.is_none() {
                granted.extend(owner);
            }
            let until = lease.left.map(|left| now + left);
            OwnedLease {
                lease,
                owner,
                until,
            }
        };
        self.0 = leases.into_iter().map(with_owner).collect();
        (granted, expired)
    }

    /// The leases of a worker.
    pub fn of(&self, worker: usize) -> impl Iterator<Item = &Lease> {
        let owned = self
            .0
            .iter()
            .filter(move |lease| lease.owner == Some(worker));
        owned.map(|owned| &owned.lease)
    }

    /// Returns `true` if a lease of the worker may have run out by itself.
    pub fn is_over(&self, worker: usize, now: Instant) -> bool {
        let mut owned = self.0.iter().filter(|lease| lease.owner == Some(worker));
        owned.any(|lease| lease.is_over(now + MARGIN))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lease(id: &str, stamp: &str, port: Option<u16>) -> Lease {
        Lease {
            id: id.to_owned(),
            stamp: stamp.to_owned(),
            left: Some(Duration::from_secs(1)),
            port,
        }
    }

    #[test]
    fn a_lease_belongs_to_the_worker_that_got_it() {
        let mut leases = Leases::default();
        let now = Instant::now();
        let nobody = |_| None;
        let got = |workers: &[usize]| (workers.to_vec(), Vec::new());
        assert_eq!(
            leases.learn(vec![lease("a", "1", None)], 0, nobody, now),
            got(&[0])
        );
        // Another worker's request changes nothing about it, until it is granted anew.
        assert_eq!(
            leases.learn(vec![lease("a", "1", None)], 1, nobody, now),
            got(&[])
        );
        assert_eq!((leases.of(0).count(), leases.of(1).count()), (1, 0));
        assert_eq!(
            leases.learn(vec![lease("a", "2", None)], 1, nobody, now),
            got(&[1])
        );
        assert_eq!((leases.of(0).count(), leases.of(1).count()), (0, 1));
        // A server that knows the port of the owner is believed.
        let owner = |port| (port == 40_000).then_some(2);
        assert_eq!(
            leases.learn(vec![lease("b", "", Some(40_000))], 0, owner, now),
            got(&[2])
        );
        let later = now + Duration::from_secs(1);
        assert!(!leases.is_over(2, now) && leases.is_over(2, later));
        // What is gone too early was removed by somebody.
        let mut removed = leases.clone();
        assert_eq!(removed.learn(Vec::new(), 0, nobody, now), got(&[]));
        assert_eq!(
            leases.learn(Vec::new(), 0, nobody, later),
            (vec![], vec![2])
        );
    }
}
