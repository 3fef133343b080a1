//! A server double with leases. Each request and each answer takes its time; with faults, some are
//! lost, and some requests are carried out long after their answer was given up.

use std::collections::HashMap;
use std::io;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use shuttle::rand::{Rng, thread_rng};

use crate::clock::BootTime;
use crate::engine::{Answered, Boxed, Claim, Engine, Grant, RequestError, Seen, Waited};
use crate::lock_name::LockName;
use crate::rt::{self, TICK};

/// Long enough that a renewal succeeds in most schedules, short enough that many fail.
pub(crate) const LEASE: Duration = Duration::from_secs(60);

/// The locks of the server. A mutex of std: each request is one step.
#[derive(Debug, Default)]
pub(crate) struct Server {
    locks: Mutex<HashMap<Vec<u8>, Lock>>,
    last_token: Mutex<u64>,
}

#[derive(Debug)]
struct Lock {
    holder: Arc<str>,
    token: u64,
    expires: BootTime,
}

impl Server {
    /// Returns `true` if every key is released or has expired.
    pub(crate) fn is_free(&self) -> bool {
        let mut locks = self.locks.lock().unwrap();
        locks.retain(|_, lock| BootTime::now() < lock.expires);
        locks.is_empty()
    }

    fn ask(&self, claim: &Claim) -> Option<u64> {
        let now = BootTime::now();
        let mut locks = self.locks.lock().unwrap();
        let key = claim.name.bytes().to_vec();
        if let Some(lock) = locks.get_mut(&key).filter(|lock| now < lock.expires) {
            if lock.holder != claim.id {
                return None;
            }
            lock.expires = now + LEASE;
            return Some(lock.token);
        }
        let mut last = self.last_token.lock().unwrap();
        *last += 1;
        let lock = Lock {
            holder: Arc::clone(&claim.id),
            token: *last,
            expires: now + LEASE,
        };
        locks.insert(key, lock);
        Some(*last)
    }

    fn held<T>(&self, claim: &Claim, use_it: impl FnOnce(&mut Lock) -> T) -> Option<T> {
        let now = BootTime::now();
        let mut locks = self.locks.lock().unwrap();
        let lock = locks.get_mut(claim.name.bytes());
        lock.filter(|lock| lock.holder == claim.id && now < lock.expires)
            .map(use_it)
    }

    fn release(&self, claim: &Claim) -> bool {
        let held = self.held(claim, |_| ()).is_some();
        if held {
            self.locks.lock().unwrap().remove(claim.name.bytes());
        }
        held
    }
}

/// What may happen to requests.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Faults {
    None,
    /// Some requests and some answers are lost.
    Lost,
    /// Also, some requests are carried out long after their answer was given up.
    Late,
}

/// The connection of one process to the server.
#[derive(Debug)]
pub(crate) struct Double {
    pub(crate) server: Arc<Server>,
    pub(crate) faults: Faults,
    /// The longest time of an answer, in ticks.
    pub(crate) delay: u32,
    /// While it is set, no request arrives.
    pub(crate) cut: Arc<AtomicBool>,
}

impl Double {
    /// Sends a request to the server and its answer back.
    async fn request<T: Send + 'static>(
        &self,
        request: impl FnOnce(&Server) -> T + Send + 'static,
    ) -> Result<T, RequestError> {
        let error = |unclear| RequestError {
            unclear,
            transient: true,
            cause: Arc::new(io::Error::from(io::ErrorKind::ConnectionReset)),
        };
        let fault = match self.faults {
            Faults::None => 7,
            _ => thread_rng().gen_range(0..8),
        };
        rt::sleep(TICK).await;
        if fault == 0 || self.cut.load(Ordering::Relaxed) {
            return Err(error(false));
        }
        if fault == 1 && self.faults == Faults::Late {
            // The packet is under way, and the connection is given up.
            let server = Arc::clone(&self.server);
            drop(shuttle::future::spawn(async move {
                rt::sleep(TICK).await;
                request(&server);
            }));
            return Err(error(true));
        }
        let answer = request(&self.server);
        rt::sleep(TICK * thread_rng().gen_range(1..=self.delay)).await;
        if fault == 2 {
            Err(error(true))
        } else {
            Ok(answer)
        }
    }
}

impl Engine for Double {
    fn name(&self) -> &'static str {
        "double"
    }

    fn lease(&self) -> Option<Duration> {
        Some(LEASE)
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
            let of = claim.clone();
            Ok(match self.request(move |server| server.ask(&of)).await? {
                None => Answered::Held(Seen::default()),
                Some(token) => Answered::Granted(Grant {
                    token: Some(token),
                    until: Some(asked + LEASE),
                }),
            })
        })
    }

    fn wait<'a>(&'a self, _claim: &'a Claim, _seen: Seen) -> Boxed<'a, Waited> {
        Box::pin(async {
            rt::sleep(TICK).await;
            Waited::AskAgain
        })
    }

    fn release<'a>(&'a self, claim: &'a Claim) -> Boxed<'a, Result<bool, RequestError>> {
        let claim = claim.clone();
        Box::pin(self.request(move |server| server.release(&claim)))
    }

    fn renew<'a>(
        &'a self,
        claims: &'a [Claim],
        asked: BootTime,
    ) -> Boxed<'a, Result<Vec<Option<BootTime>>, RequestError>> {
        let claims = claims.to_vec();
        Box::pin(async move {
            let renew = move |server: &Server| {
                let renew = |lock: &mut Lock| lock.expires = BootTime::now() + LEASE;
                let renewed = claims.iter().map(|claim| server.held(claim, renew));
                renewed.collect::<Vec<_>>()
            };
            let renewed = self.request(renew).await?;
            let until = |held: Option<()>| held.map(|()| asked + LEASE);
            Ok(renewed.into_iter().map(until).collect())
        })
    }
}
