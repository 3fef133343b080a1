//! The lease of a coordinator. It is made with the first lock, and anew after it was lost.

use std::collections::HashMap;
use std::sync::Arc;

use tokio::sync::Mutex as AsyncMutex;

use super::error::is_unknown_lease;
use super::gateway::Gateway;
use crate::clock::BootTime;
use crate::engine::contract::{Claim, RequestError};
use crate::engine::lease::Lease;
use crate::sync::{Mutex, lock};

pub(super) struct Leases {
    lease: Lease,
    /// Held while a lease is made, so that one is. The end of the last attempt that failed, and the
    /// error.
    making: AsyncMutex<Option<(BootTime, RequestError)>>,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    current: Option<i64>,
    /// The ends of the leases in use, as their holder counts them.
    until: HashMap<i64, BootTime>,
    /// The claims that hold a lock.
    held: HashMap<Arc<str>, HeldKey>,
}

/// The key of a lock that a claim holds.
#[derive(Clone, Copy, Debug)]
pub(super) struct HeldKey {
    pub(super) lease: i64,
    /// The revision that created it.
    pub(super) revision: i64,
}

impl Leases {
    pub(super) fn new(lease: Lease) -> Self {
        Leases {
            lease,
            making: AsyncMutex::default(),
            state: Mutex::default(),
        }
    }

    pub(super) fn lease(&self) -> Lease {
        self.lease
    }

    /// A lease for a new lock, of which most is left, and its end.
    pub(super) async fn current(
        &self,
        gateway: &Gateway,
        asked: BootTime,
    ) -> Result<(i64, BootTime), RequestError> {
        if let Some(current) = self.fresh(asked) {
            return Ok(current);
        }
        let began = BootTime::now();
        let mut failed = self.making.lock().await;
        if let Some(current) = self.fresh(asked) {
            return Ok(current);
        }
        // Those who waited meanwhile share the outcome, so that none waits for several attempts.
        match &*failed {
            Some((end, error)) if *end > began => return Err(error.clone()),
            _ => {}
        }
        let made = self.make(gateway, asked).await;
        *failed = made
            .as_ref()
            .err()
            .map(|error| (BootTime::now(), error.clone()));
        made
    }

    /// Renews the current lease, or grants a new one.
    async fn make(
        &self,
        gateway: &Gateway,
        asked: BootTime,
    ) -> Result<(i64, BootTime), RequestError> {
        let current = lock(&self.state).current;
        if let Some(lease) = current {
            match self.renew(gateway, lease, asked).await {
                Ok(until) => return Ok((lease, until)),
                Err(error) if is_unknown_lease(&error) => {}
                Err(error) => return Err(error),
            }
        }
        let lease = gateway.grant_lease(self.lease).await?;
        let until = self.lease.until(asked);
        let mut state = lock(&self.state);
        state.current = Some(lease);
        state.until.insert(lease, until);
        Ok((lease, until))
    }

    /// The current lease, unless a third of it has passed.
    fn fresh(&self, now: BootTime) -> Option<(i64, BootTime)> {
        let state = lock(&self.state);
        let current = state.current?;
        let until = *state.until.get(&current)?;
        (now + self.lease.duration / 3 * 2 < until).then_some((current, until))
    }

    /// Renews a lease. If the server does not know it, it is forgotten.
    pub(super) async fn renew(
        &self,
        gateway: &Gateway,
        lease: i64,
        asked: BootTime,
    ) -> Result<BootTime, RequestError> {
        match gateway.keep_alive(lease).await {
            Ok(()) => {
                let until = self.lease.until(asked);
                let mut state = lock(&self.state);
                let known = state.until.entry(lease).or_insert(until);
                *known = until.max(*known);
                Ok(*known)
            }
            Err(error) => {
                if is_unknown_lease(&error) {
                    self.forget(lease);
                }
                Err(error)
            }
        }
    }

    pub(super) fn forget(&self, lease: i64) {
        let mut state = lock(&self.state);
        state.until.remove(&lease);
        state.current = state.current.filter(|current| *current != lease);
    }

    pub(super) fn until(&self, lease: i64) -> Option<BootTime> {
        lock(&self.state).until.get(&lease).copied()
    }

    pub(super) fn hold(&self, claim: &Claim, key: HeldKey) {
        lock(&self.state).held.insert(Arc::clone(&claim.id), key);
    }

    pub(super) fn release(&self, claim: &Claim) {
        let mut state = lock(&self.state);
        let Some(HeldKey { lease, .. }) = state.held.remove(&claim.id) else {
            return;
        };
        let is_used = state.held.values().any(|held| held.lease == lease);
        if !is_used && state.current != Some(lease) {
            state.until.remove(&lease);
        }
    }

    /// The key of each claim; `None` if it does not hold its lock.
    pub(super) fn keys(&self, claims: &[Claim]) -> Vec<Option<HeldKey>> {
        let state = lock(&self.state);
        claims
            .iter()
            .map(|claim| state.held.get(&claim.id).copied())
            .collect()
    }
}
