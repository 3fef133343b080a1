//! Locks of etcd, under the keys of tooz's `etcd3gw` driver, over etcd's JSON gateway.
//!
//! The key `/tooz/locks` + NAME exists while the lock is held, and dies with its lease. All locks of
//! a coordinator share one lease, so that a single request renews them. The key's create revision
//! is the token.

mod error;
mod gateway;
mod http;
mod leases;
mod options;
mod requests;
mod stream;

use std::collections::HashMap;
use std::io;
use std::time::Duration;

use self::error::is_unknown_lease;
use self::gateway::Gateway;
use self::leases::{HeldKey, Leases};
use self::options::Settings;
use self::requests::Key;
use super::contract::{
    Answered, Boxed, Claim, ConnectError, Engine, Grant, RequestError, Seen, Waited,
};
use crate::clock::BootTime;
use crate::lock_name::LockName;
use crate::rt;
use crate::url::ServiceUrl;

pub(super) struct EtcdEngine {
    gateway: Gateway,
    leases: Leases,
}

/// Keys that one request looks up: half of what etcd allows by default.
const CHECKED_AT_ONCE: usize = 64;
/// Pause after a watch that ended without an event.
const REST: Duration = Duration::from_millis(50);

impl EtcdEngine {
    pub(super) async fn connect(url: &ServiceUrl) -> Result<Self, ConnectError> {
        let settings = Settings::of(url).map_err(ConnectError::Url)?;
        let lease = settings.lease;
        let gateway = Gateway::new(settings);
        match gateway.check().await {
            Ok(()) => Ok(EtcdEngine {
                gateway,
                leases: Leases::new(lease),
            }),
            Err(error) => Err(ConnectError::Unreachable {
                address: gateway.address(),
                cause: error.cause,
            }),
        }
    }
}

impl Engine for EtcdEngine {
    fn name(&self) -> &'static str {
        "etcd"
    }

    fn lease(&self) -> Option<Duration> {
        Some(self.leases.lease().duration)
    }

    fn check_name(&self, _name: &LockName) -> Result<(), &'static str> {
        Ok(())
    }

    fn ask<'a>(
        &'a self,
        claim: &'a Claim,
        asked: BootTime,
    ) -> Boxed<'a, Result<Answered, RequestError>> {
        Box::pin(async move {
            let key = Key::of(claim);
            let (lease, until) = self.leases.current(&self.gateway, asked).await?;
            let answer = match self.gateway.transact(&key.acquire(lease)).await {
                Err(error) if is_unknown_lease(&error) => {
                    // It expired, though it was renewed in time: the server lost it.
                    self.leases.forget(lease);
                    return Err(RequestError {
                        unclear: false,
                        transient: true,
                        ..error
                    });
                }
                answer => answer?,
            };
            let Some(found) = key.found(&answer) else {
                let revision = requests::revision(&answer);
                self.leases.hold(claim, HeldKey { lease, revision });
                return Ok(Answered::Granted(grant(revision, until)));
            };
            // An earlier request of this claim was carried out, perhaps under an earlier lease.
            if found.is_ours {
                let until = match self.leases.until(found.lease) {
                    Some(until) => until,
                    None => self.leases.renew(&self.gateway, found.lease, asked).await?,
                };
                let (lease, revision) = (found.lease, found.revision);
                self.leases.hold(claim, HeldKey { lease, revision });
                return Ok(Answered::Granted(grant(found.revision, until)));
            }
            Ok(Answered::Held(Seen {
                revision: requests::revision(&answer),
                ..Seen::default()
            }))
        })
    }

    fn wait<'a>(&'a self, claim: &'a Claim, seen: Seen) -> Boxed<'a, Waited> {
        Box::pin(async move {
            // A connection may break without a sign, so no watch is relied on for longer.
            let longest = self.leases.lease().duration;
            let watch = Key::of(claim).watch(seen.revision + 1);
            let watching = self.gateway.watch(&watch);
            let ended = tokio::time::timeout(longest, watching).await;
            if matches!(ended, Ok(Err(_))) {
                rt::sleep(REST).await;
            }
            Waited::AskAgain
        })
    }

    fn release<'a>(&'a self, claim: &'a Claim) -> Boxed<'a, Result<bool, RequestError>> {
        Box::pin(async move {
            let answer = self.gateway.transact(&Key::of(claim).release()).await?;
            self.leases.release(claim);
            Ok(requests::succeeded(&answer))
        })
    }

    fn renew<'a>(
        &'a self,
        claims: &'a [Claim],
        asked: BootTime,
    ) -> Boxed<'a, Result<Vec<Option<BootTime>>, RequestError>> {
        Box::pin(async move {
            let keys = self.leases.keys(claims);
            let mut leases: Vec<i64> = keys.iter().flatten().map(|key| key.lease).collect();
            leases.sort_unstable();
            leases.dedup();
            let mut renewed = HashMap::new();
            for lease in leases {
                match self.leases.renew(&self.gateway, lease, asked).await {
                    Ok(until) => drop(renewed.insert(lease, until)),
                    Err(error) if is_unknown_lease(&error) => {}
                    Err(error) => return Err(error),
                }
            }
            let exist = self.exist(claims, &keys).await?;
            let until = |(key, exists): (Option<HeldKey>, bool)| {
                let key = key.filter(|_| exists)?;
                renewed.get(&key.lease).copied()
            };
            Ok(keys.into_iter().zip(exist).map(until).collect())
        })
    }
}

impl EtcdEngine {
    /// For each claim, whether its key is the one that it has created: a lease outlives a key that
    /// an administrator deletes.
    async fn exist(
        &self,
        claims: &[Claim],
        keys: &[Option<HeldKey>],
    ) -> Result<Vec<bool>, RequestError> {
        let mut exist = Vec::with_capacity(claims.len());
        let all: Vec<(&Claim, Option<HeldKey>)> = claims.iter().zip(keys.iter().copied()).collect();
        for part in all.chunks(CHECKED_AT_ONCE) {
            let get = requests::get(part.iter().map(|(claim, _)| Key::of(claim)));
            let revisions = requests::created(&self.gateway.transact(&get).await?);
            if revisions.len() != part.len() {
                return Err(RequestError::not_sent(io::Error::other(
                    "an answer with too few parts",
                )));
            }
            let known = part.iter().map(|(_, key)| key.map(|key| key.revision));
            exist.extend(
                known
                    .zip(revisions)
                    .map(|(known, now)| known.is_some() && known == now),
            );
        }
        Ok(exist)
    }
}

fn grant(token: i64, until: BootTime) -> Grant {
    Grant {
        token: u64::try_from(token).ok(),
        until: Some(until),
    }
}
