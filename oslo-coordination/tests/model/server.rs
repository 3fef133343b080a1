//! A server double with leases, which keeps a queue of its waiters or not. Each request and each
//! answer takes its time; with faults, some are lost, and some requests are carried out long after
//! their answer was given up.

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
    queues: bool,
    locks: Mutex<HashMap<Vec<u8>, Vec<Entry>>>,
    last_token: Mutex<u64>,
}

/// A claim. The first one of a lock holds it; without a queue, there is no other.
#[derive(Debug)]
struct Entry {
    claim: Arc<str>,
    /// Given when the claim was first seen to hold the lock.
    token: Option<u64>,
    expires: BootTime,
}

impl Server {
    pub(crate) fn new(queues: bool) -> Self {
        Server {
            queues,
            ..Server::default()
        }
    }

    /// Returns `true` if every key is released or has expired.
    pub(crate) fn is_free(&self) -> bool {
        let mut locks = self.locks.lock().unwrap();
        locks
            .values_mut()
            .all(|entries| unexpired(entries).is_empty())
    }

    /// The token of the claim, if it holds the lock. Otherwise its place in the queue is kept.
    fn ask(&self, claim: &Claim) -> Option<u64> {
        let mut locks = self.locks.lock().unwrap();
        let entries = unexpired(locks.entry(claim.name.bytes().to_vec()).or_default());
        let place = entries.iter().position(|entry| entry.claim == claim.id);
        let expires = BootTime::now() + LEASE;
        let Some(place) = place else {
            if entries.is_empty() || self.queues {
                entries.push(Entry {
                    claim: Arc::clone(&claim.id),
                    token: None,
                    expires,
                });
            }
            return self.token(entries, claim);
        };
        entries[place].expires = expires;
        self.token(entries, claim)
    }

    fn token(&self, entries: &mut [Entry], claim: &Claim) -> Option<u64> {
        let first = entries.first_mut()?;
        let next = || {
            let mut last = self.last_token.lock().unwrap();
            *last += 1;
            *last
        };
        (first.claim == claim.id).then(|| *first.token.get_or_insert_with(next))
    }

    /// Returns `true` if the claim holds the lock.
    fn renew(&self, claim: &Claim) -> bool {
        let mut locks = self.locks.lock().unwrap();
        let entries = locks.get_mut(claim.name.bytes()).map(unexpired);
        let first = entries.and_then(|entries| entries.first_mut());
        match first.filter(|entry| entry.claim == claim.id) {
            Some(entry) => {
                entry.expires = BootTime::now() + LEASE;
                true
            }
            None => false,
        }
    }

    /// Removes the claim, wherever it stands. Returns `true` if it held the lock.
    fn release(&self, claim: &Claim) -> bool {
        let mut locks = self.locks.lock().unwrap();
        let Some(entries) = locks.get_mut(claim.name.bytes()).map(unexpired) else {
            return false;
        };
        let place = entries.iter().position(|entry| entry.claim == claim.id);
        if let Some(place) = place {
            entries.remove(place);
        }
        place == Some(0)
    }
}

fn unexpired(entries: &mut Vec<Entry>) -> &mut Vec<Entry> {
    entries.retain(|entry| BootTime::now() < entry.expires);
    entries
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

    fn wait<'a>(&'a self, claim: &'a Claim, _seen: Seen) -> Boxed<'a, Waited> {
        Box::pin(async move {
            loop {
                rt::sleep(TICK).await;
                if !self.server.queues {
                    return Waited::AskAgain;
                }
                match self.ask(claim, BootTime::now()).await {
                    Ok(Answered::Granted(grant)) => return Waited::Granted(grant),
                    Ok(Answered::Held(_)) => {}
                    Err(_) => return Waited::AskAgain,
                }
            }
        })
    }

    fn queues(&self) -> bool {
        self.server.queues
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
                let renewed = claims.iter().map(|claim| server.renew(claim));
                renewed.collect::<Vec<_>>()
            };
            let renewed = self.request(renew).await?;
            let until = |held: bool| held.then(|| asked + LEASE);
            Ok(renewed.into_iter().map(until).collect())
        })
    }
}
