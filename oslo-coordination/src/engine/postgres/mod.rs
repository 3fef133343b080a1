//! Advisory locks of PostgreSQL 14 and later.
//!
//! A session of the server holds a lock until it unlocks it or ends. Each session asks the server to
//! end it after it was idle for the length of the lease (`idle_session_timeout`), and the lease is
//! renewed by any request. So the locks of a holder that is stopped or cut off are freed as with
//! other engines, and a session that the server ends loses its locks at once, on both sides.
//!
//! # Sessions
//!
//! * The *main* session tries locks, and holds those that it gets: thousands, with one connection.
//! * A claim that waits has a session of its own, in whose `pg_advisory_lock` it stands: the server
//!   queues the waiters in order, and wakes the next one at a release and at the end of a holder. A
//!   granted lock stays in that session, since no lock can move to another. `waiters` limits their
//!   number; a claim beyond it tries again every 50 ms.
//!
//! A session grants a lock that it holds once more, and counts. So each request is sent once, and
//! its answer is awaited, however long the caller waits for it.
//!
//! # The life of a claim in a session
//!
//! ```text
//!        try, or lock          answer                 unlock           answer
//! absent ───────────> asked ──────────> held ───────────────> unlocking ───> absent
//!                       │  │ not free                            │
//!                       │  └────────> absent                     │
//!                       └──────────────────────┬─────────────────┘
//!                                  the session ends: ended
//! ```
//!
//! | interruption | then |
//! |---|---|
//! | the caller leaves while *asked* by a try | the answer is awaited, and a lock unlocked |
//! | the caller leaves while *asked* by a lock | the request is cancelled, and what it was granted meanwhile is unlocked; if that does not help, the session is terminated |
//! | no answer within the limit | *asked* or *unlocking* as before; the next request about this claim awaits the same answer |
//! | no answer for a lease, or at all to a session that holds nothing | the connection is given up |
//! | the connection breaks, the server restarts | *ended*: what was held is lost and reported, and the session is terminated at the server, through the next one, before anything is said about its claims |

mod claims;
mod error;
mod key;
mod options;
mod session;
mod sessions;
mod tls;

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::Semaphore;
use tokio::task::JoinSet;

use self::claims::{Place, Stage};
use self::options::Settings;
use self::session::{Lock, Session};
use self::sessions::Sessions;
use super::contract::{
    Answered, Boxed, Claim, ConnectError, Engine, Grant, RequestError, Seen, Waited,
};
use crate::clock::BootTime;
use crate::lock_name::LockName;
use crate::rt;
use crate::url::ServiceUrl;

pub(super) struct PostgresEngine {
    sessions: Arc<Sessions>,
    /// Sessions that wait for a lock, or hold what they have waited for.
    waiters: Arc<Semaphore>,
}

/// The first and the longest pause between two tries without a session to wait in.
const POLL_FIRST: Duration = Duration::from_millis(2);
const POLL_LONGEST: Duration = Duration::from_millis(50);
/// Time for a cancelled request to end.
const CANCELLATION: Duration = Duration::from_millis(100);

impl PostgresEngine {
    pub(super) async fn connect(url: &ServiceUrl) -> Result<Self, ConnectError> {
        let settings = Settings::of(url).map_err(ConnectError::Url)?;
        let waiters = Arc::new(Semaphore::new(settings.waiters));
        let sessions = Sessions::new(settings);
        match sessions.main().await {
            Ok(_) => {
                sessions.keep();
                Ok(PostgresEngine { sessions, waiters })
            }
            Err(error) => Err(ConnectError::Unreachable {
                address: sessions.settings().address(),
                cause: error.cause,
            }),
        }
    }

    fn request_limit(&self) -> Duration {
        self.sessions.settings().request_limit
    }

    /// The lock that an earlier request of a claim was granted, under a new lease; `None` if it has
    /// none.
    async fn granted_before(
        &self,
        claim: &Claim,
        asked: BootTime,
    ) -> Result<Option<Grant>, RequestError> {
        let Some(place) = self.sessions.place(claim) else {
            return Ok(None);
        };
        let stage = self.answer(&place).await?;
        if let Stage::Held(token) = stage {
            let until = self.sessions.ping(&place.session, asked).await?;
            let until = Some(until);
            return Ok(Some(Grant { token, until }));
        }
        self.sessions.remove(claim);
        Ok(None)
    }

    async fn answer(&self, place: &Place) -> Result<Stage, RequestError> {
        let answer = place.answer(self.request_limit()).await;
        if answer.is_err() {
            self.sessions.unanswered(&place.session);
        }
        answer
    }

    /// Ends the wait of a claim whose caller has left.
    async fn stop(&self, place: &Place) -> Result<Stage, RequestError> {
        if !place.is_asked() {
            return self.answer(place).await;
        }
        let main = self.sessions.main().await?;
        let limit = self.request_limit();
        main.cancel(&place.session, limit).await?;
        if let Ok(stage) = place.answer(CANCELLATION).await {
            return Ok(stage);
        }
        // Cancelled before it had begun to wait, perhaps.
        self.sessions.end(&place.session);
        self.answer(place).await
    }

    async fn free(&self, claim: &Claim) -> Result<bool, RequestError> {
        let mut released = false;
        if let Some(place) = self.sessions.place(claim) {
            let mut stage = match place.waits() {
                true => self.stop(&place).await?,
                false => self.answer(&place).await?,
            };
            if let Stage::Held(_) = stage {
                place.unlock();
                stage = self.answer(&place).await?;
            }
            released = matches!(stage, Stage::Unlocked(true));
            self.sessions.remove(claim);
        }
        if !released {
            // A session whose connection is broken may still hold it.
            self.sessions.bury().await?;
        }
        Ok(released)
    }
}

impl Engine for PostgresEngine {
    fn name(&self) -> &'static str {
        "postgresql"
    }

    fn lease(&self) -> Option<Duration> {
        Some(self.sessions.settings().lease.duration)
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
            if let Some(grant) = self.granted_before(claim, asked).await? {
                return Ok(Answered::Granted(grant));
            }
            let session = self.sessions.main().await?;
            let place = self.sessions.enter(claim, session, Lock::IfFree, None);
            let stage = self.answer(&place).await?;
            if let Stage::Held(token) = stage {
                let until = Some(place.session.heard(asked));
                return Ok(Answered::Granted(Grant { token, until }));
            }
            self.sessions.remove(claim);
            match stage {
                Stage::Failed(error) => Err(error),
                _ => Ok(Answered::Held(Seen::default())),
            }
        })
    }

    fn wait<'a>(&'a self, claim: &'a Claim, seen: Seen) -> Boxed<'a, Waited> {
        Box::pin(async move {
            let pause =
                (POLL_FIRST * 2u32.saturating_pow(seen.tries.min(10) - 1)).min(POLL_LONGEST);
            let Ok(permit) = Arc::clone(&self.waiters).try_acquire_owned() else {
                rt::sleep(pause).await;
                return Waited::AskAgain;
            };
            let Ok(session) = self.sessions.spare().await else {
                // The server may have no more connections.
                drop(permit);
                rt::sleep(POLL_LONGEST).await;
                return Waited::AskAgain;
            };
            let place = self
                .sessions
                .enter(claim, session, Lock::Wait, Some(permit));
            let Stage::Held(token) = place.answer_unlimited().await else {
                self.sessions.remove(claim);
                rt::sleep(pause).await;
                return Waited::AskAgain;
            };
            // The lease cannot be counted from the request, which may be old.
            match self.sessions.ping(&place.session, BootTime::now()).await {
                Ok(until) => Waited::Granted(Grant {
                    token,
                    until: Some(until),
                }),
                Err(_) => Waited::AskAgain,
            }
        })
    }

    fn queues(&self) -> bool {
        true
    }

    fn lost<'a>(&'a self) -> Boxed<'a, Vec<Arc<str>>> {
        Box::pin(self.sessions.lost())
    }

    fn release<'a>(&'a self, claim: &'a Claim) -> Boxed<'a, Result<bool, RequestError>> {
        Box::pin(self.free(claim))
    }

    fn renew<'a>(
        &'a self,
        claims: &'a [Claim],
        asked: BootTime,
    ) -> Boxed<'a, Result<Vec<Option<BootTime>>, RequestError>> {
        Box::pin(async move {
            let keeping: Vec<Option<Arc<Session>>> = claims
                .iter()
                .map(|claim| self.sessions.keeping(claim))
                .collect();
            let mut distinct: Vec<&Arc<Session>> = keeping.iter().flatten().collect();
            distinct.sort_unstable_by_key(|session| session.number);
            distinct.dedup_by_key(|session| session.number);
            // At the same time: one that does not answer must not delay the others.
            let mut pings = JoinSet::new();
            for session in distinct {
                let (sessions, session) = (Arc::clone(&self.sessions), Arc::clone(session));
                pings.spawn(async move { sessions.ping(&session, asked).await });
            }
            let mut answered = keeping.iter().all(Option::is_none);
            let mut failed = None;
            for ping in pings.join_all().await {
                match ping {
                    Ok(_) => answered = true,
                    Err(error) => failed = Some(error),
                }
            }
            match failed {
                Some(error) if !answered => Err(error),
                // The lease of a session that has not answered stays as it was.
                _ => Ok(keeping
                    .iter()
                    .map(|session| {
                        let session = session.as_ref().filter(|session| !session.has_ended());
                        session.map(|session| session.until())
                    })
                    .collect()),
            }
        })
    }
}
