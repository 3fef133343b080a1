//! Renewal of leases, and the moment when one ends.

use std::sync::Arc;
use std::time::Duration;

use super::race::race;
use super::schedule::Schedule;
use super::state::{Core, Held};
use crate::clock::BootTime;
use crate::engine::{Claim, RequestError};
use crate::rt;
use crate::sync::lock;

/// A renewal that failed is tried again after this part of the lease.
const RETRY_AFTER: u32 = 12;

impl Held {
    /// The time of the next renewal, if there is one.
    fn renew_at(&self) -> Option<BootTime> {
        let schedule = self.schedule.as_ref().filter(|_| !self.hold.lost());
        schedule.map(|schedule| schedule.renew_at)
    }
}

impl Core {
    /// Renews and expires leases until the last handle is gone and everything is released.
    pub(crate) async fn run(&self) {
        let maintenance = async {
            match self.engine.lease() {
                Some(lease) => {
                    race(self.renew(lease), race(self.expire(), self.report())).await;
                }
                None => std::future::pending().await,
            }
        };
        race(self.end.notified(), maintenance).await;
        self.busy.until_idle().await;
    }

    /// Renews the leases of all holds until it is dropped.
    async fn renew(&self, lease: Duration) {
        loop {
            self.sleep_until(Held::renew_at).await;
            let now = BootTime::now();
            // Those that are due soon go with the same request.
            let due = self.due(now + lease / RETRY_AFTER, now);
            if due.is_empty() {
                continue;
            }
            let outcome = self.engine.renew(&due, now).await;
            match outcome {
                Ok(renewed) => {
                    for (claim, until) in due.iter().zip(renewed) {
                        self.renewed(claim, until, lease);
                    }
                }
                Err(error) => self.not_renewed(&due, &error, lease),
            }
        }
    }

    /// Reports the holds whose lease has ended, until it is dropped.
    async fn expire(&self) {
        loop {
            self.sleep_until(|held| held.hold.tell_at()).await;
            for hold in self.holds() {
                if hold.lost() {
                    self.lose(&hold, "its lease ended without a renewal");
                }
            }
        }
    }

    /// Reports the holds that the engine knows to be lost, until it is dropped.
    async fn report(&self) {
        loop {
            for id in self.engine.lost().await {
                let hold = lock(&self.held).get_mut(&id).map(|held| {
                    held.schedule = None;
                    Arc::clone(&held.hold)
                });
                if let Some(hold) = hold {
                    self.lose(&hold, "the connection that kept it has ended");
                }
            }
        }
    }

    /// Sleeps until the earliest of these times, or until the holds change. May return earlier.
    async fn sleep_until(&self, time: impl Fn(&Held) -> Option<BootTime>) {
        // Before the look at the holds, so that no change is missed.
        let changed = self.changed.notified();
        let earliest = lock(&self.held).values().filter_map(time).min();
        match earliest {
            Some(time) => {
                race(changed, rt::sleep(time.since(BootTime::now()))).await;
            }
            None => changed.await,
        }
    }

    /// The claims to renew now, if one of them must be.
    fn due(&self, soon: BootTime, now: BootTime) -> Vec<Claim> {
        let held = lock(&self.held);
        if !held
            .values()
            .any(|held| held.renew_at().is_some_and(|at| at <= now))
        {
            return Vec::new();
        }
        let due = |held: &&Held| held.renew_at().is_some_and(|at| at <= soon);
        held.values()
            .filter(due)
            .map(|held| held.claim.clone())
            .collect()
    }

    fn renewed(&self, claim: &Claim, until: Option<BootTime>, lease: Duration) {
        let mut all = lock(&self.held);
        // Released meanwhile.
        let Some(held) = all.get_mut(&claim.id) else {
            return;
        };
        let hold = Arc::clone(&held.hold);
        let extended = until.filter(|until| hold.extend(*until));
        if let Some(until) = extended {
            held.schedule = Some(Schedule::new(until, lease));
            tracing::trace!(lock = hold.lock_name().text(), "lock renewed");
            return;
        }
        held.schedule = None;
        drop(all);
        let reason = match until {
            None => "the server does not know this holder any more",
            Some(_) => "its lease ended before it was renewed",
        };
        self.lose(&hold, reason);
    }

    fn not_renewed(&self, due: &[Claim], error: &RequestError, lease: Duration) {
        let now = BootTime::now();
        let mut late = Vec::new();
        let mut all = lock(&self.held);
        for claim in due {
            let Some(held) = all.get_mut(&claim.id) else {
                continue;
            };
            let Some(schedule) = &mut held.schedule else {
                continue;
            };
            schedule.renew_at = now + lease / RETRY_AFTER;
            if now >= schedule.late_at && !schedule.late {
                schedule.late = true;
                late.push(claim.name.text());
            }
        }
        drop(all);
        for lock in late {
            tracing::warn!(lock, %error, "the renewal of a lock is late");
        }
    }
}
