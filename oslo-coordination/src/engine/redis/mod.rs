//! Locks on one Redis server, under the keys of tooz's `redis` driver.
//!
//! The key `_tooz_NAME_lock` has a value that only this claim has, and expires with the lease, as
//! redis-py's `Lock` does it. Ours is the claim's id and its token. Every request is a script, so
//! that look and change are one step.
//!
//! A release publishes on the channel `_tooz_NAME_lock:released`, and waits listen to it over a
//! second connection ([`listener`]). tooz publishes nothing, and a user of the server may be denied
//! the channel, so waits poll as well.

mod connection;
mod listener;
mod options;
mod scripts;

use std::sync::{Arc, OnceLock};
use std::time::Duration;

use tokio::time::timeout;

use self::connection::Connection;
use self::listener::Listener;
use self::options::Settings;
use super::contract::{
    Answered, Boxed, Claim, ConnectError, Engine, Grant, RequestError, Seen, Waited,
};
use super::lease::Lease;
use crate::clock::BootTime;
use crate::lock_name::LockName;
use crate::url::ServiceUrl;

pub(super) struct RedisEngine {
    connection: Connection,
    listener: Listener,
    lease: Lease,
    namespace: String,
}

/// Claims that one script renews: the server does nothing else meanwhile.
const RENEWED_AT_ONCE: usize = 500;
/// The first and the longest pause between two looks at a lock that is held, if no event comes.
const POLL_FIRST: Duration = Duration::from_millis(2);
const POLL_LONGEST: Duration = Duration::from_millis(50);
/// The pause instead of these, in tests of the events.
pub(crate) static PAUSE_IN_TESTS: OnceLock<Duration> = OnceLock::new();

impl RedisEngine {
    pub(super) async fn connect(url: &ServiceUrl) -> Result<Self, ConnectError> {
        let settings = Arc::new(Settings::of(url).map_err(ConnectError::Url)?);
        let (lease, namespace) = (settings.lease, settings.namespace.clone());
        let connection = Connection::new(Arc::clone(&settings));
        match connection.check().await {
            Ok(()) => Ok(RedisEngine {
                connection,
                listener: Listener::new(settings),
                lease,
                namespace,
            }),
            Err(error) => Err(ConnectError::Unreachable {
                address: connection.address(),
                cause: error.cause,
            }),
        }
    }

    fn key(&self, name: &LockName) -> Vec<u8> {
        let prefix = format!("{}_", self.namespace);
        [prefix.as_bytes(), name.bytes(), b"_lock"].concat()
    }

    /// The counter of tokens, one for all locks. No lock has this key, and tooz has none like it.
    fn counter(&self) -> Vec<u8> {
        format!("{}_oslo_coordination_token", self.namespace).into_bytes()
    }

    fn milliseconds(&self) -> u64 {
        u64::try_from(self.lease.duration.as_millis()).unwrap_or(u64::MAX)
    }
}

/// The channel on which the release script publishes.
fn channel(key: &[u8]) -> Vec<u8> {
    [key, b":released"].concat()
}

impl Engine for RedisEngine {
    fn name(&self) -> &'static str {
        "redis"
    }

    fn lease(&self) -> Option<Duration> {
        Some(self.lease.duration)
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
            let key = self.key(&claim.name);
            let revision = self.listener.revision(&channel(&key));
            let mut script = scripts::ACQUIRE.prepare_invoke();
            script
                .key(key)
                .key(self.counter())
                .arg(&*claim.id)
                .arg(self.milliseconds());
            let (granted, number): (bool, i64) = self.connection.run(&script).await?;
            if !granted {
                let left = u64::try_from(number).ok().map(Duration::from_millis);
                return Ok(Answered::Held(Seen {
                    left,
                    revision,
                    ..Seen::default()
                }));
            }
            Ok(Answered::Granted(Grant {
                token: u64::try_from(number).ok(),
                until: Some(self.lease.until(asked)),
            }))
        })
    }

    fn wait<'a>(&'a self, claim: &'a Claim, seen: Seen) -> Boxed<'a, Waited> {
        let pause = POLL_FIRST * 2u32.saturating_pow(seen.tries.min(10) - 1);
        let pause = PAUSE_IN_TESTS
            .get()
            .copied()
            .unwrap_or(pause.min(POLL_LONGEST));
        // It expires after the last millisecond that the server stated.
        let expires = seen
            .left
            .map_or(POLL_LONGEST, |left| left + Duration::from_millis(1));
        Box::pin(async move {
            let channel = channel(&self.key(&claim.name));
            let released = self.listener.changed(channel, seen.revision);
            // However it ends, the lock may be free.
            let _ = timeout(pause.min(expires), released).await;
            Waited::AskAgain
        })
    }

    fn release<'a>(&'a self, claim: &'a Claim) -> Boxed<'a, Result<bool, RequestError>> {
        Box::pin(async move {
            let mut script = scripts::RELEASE.prepare_invoke();
            script.key(self.key(&claim.name)).arg(&*claim.id);
            self.connection.run(&script).await
        })
    }

    fn renew<'a>(
        &'a self,
        claims: &'a [Claim],
        asked: BootTime,
    ) -> Boxed<'a, Result<Vec<Option<BootTime>>, RequestError>> {
        Box::pin(async move {
            let mut renewed = Vec::with_capacity(claims.len());
            for claims in claims.chunks(RENEWED_AT_ONCE) {
                let mut script = scripts::RENEW.prepare_invoke();
                script.arg(self.milliseconds());
                for claim in claims {
                    script.key(self.key(&claim.name)).arg(&*claim.id);
                }
                let held: Vec<bool> = self.connection.run(&script).await?;
                renewed.extend(
                    held.into_iter()
                        .map(|held| held.then(|| self.lease.until(asked))),
                );
            }
            Ok(renewed)
        })
    }
}
