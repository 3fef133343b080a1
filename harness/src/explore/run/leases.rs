//! Leases on a server: their owners, and their end as a move.

use std::time::{Duration, Instant};

use crate::engines::Lease;

use super::super::end::{End, FailureReason};
use super::super::moves::Fault;
use super::super::schedule::{Action, Candidate, Step};
use super::Run;

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
    fn is_over(&self, worker: usize, now: Instant) -> bool {
        let mut owned = self.0.iter().filter(|lease| lease.owner == Some(worker));
        owned.any(|lease| lease.is_over(now + MARGIN))
    }
}

impl Run<'_, '_> {
    /// Returns `true` if the worker has a lease that may run out.
    pub(super) fn may_expire(&self, number: usize) -> bool {
        let worker = &self.workers[number];
        !worker.dead && !worker.stale && self.leases.of(number).next().is_some()
    }

    /// A worker that was killed and still has a lease, which ends as time passes.
    pub(super) fn dead_owner(&self) -> Option<usize> {
        let mut all = 0..self.workers.len();
        all.find(|&number| self.workers[number].dead && self.leases.of(number).next().is_some())
    }

    /// Lets the leases of a worker run out.
    pub(super) fn expire(
        &mut self,
        owner: usize,
        candidates: Vec<Candidate>,
        faults: Vec<Fault>,
    ) -> Option<End> {
        let leases: Vec<Lease> = self.leases.of(owner).cloned().collect();
        for lease in &leases {
            if let Err(error) = self.controller.expire(lease) {
                return Some(End::Failed(FailureReason::Server(error.to_string())));
            }
        }
        self.workers[owner].stale = true;
        let action = Action::Expired(leases.into_iter().map(|lease| lease.id).collect());
        self.has_changed(owner, &action);
        self.last_progress = self.steps.len();
        self.steps.push(Step {
            actor: owner,
            nth: self.workers[owner].nth,
            action,
            answers: Vec::new(),
            candidates,
            faults,
        });
        for worker in &mut self.workers {
            worker.note_progress();
        }
        self.note_change();
        self.look_up_leases(owner)
    }

    /// Looks up the leases after the last step, if it was a request that may have changed them.
    pub(super) fn learn_leases(&mut self, by: usize) -> Option<End> {
        let changes = match &self.steps.last()?.action {
            Action::Called { call, .. } => call.operation.is_on_server() && call.effect.changes(),
            _ => false,
        };
        changes.then(|| self.look_up_leases(by)).flatten()
    }

    fn look_up_leases(&mut self, by: usize) -> Option<End> {
        let leases = match self.controller.leases() {
            Ok(leases) => leases,
            Err(error) => return Some(End::Failed(FailureReason::Server(error.to_string()))),
        };
        let owner = |port| self.controller.owner_of_port(port);
        let (granted, expired) = self.leases.learn(leases, by, owner, Instant::now());
        for worker in granted {
            self.workers[worker].stale = false;
        }
        for worker in expired {
            self.workers[worker].stale = true;
        }
        None
    }

    /// Returns `true` if a lease of the worker may have run out by itself, in real time.
    pub(super) fn may_have_expired(&self, worker: usize) -> bool {
        self.leases.is_over(worker, Instant::now())
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
