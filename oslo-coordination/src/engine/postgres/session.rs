//! One session of the server.

use std::future::{Future, poll_fn};
use std::pin::pin;
use std::sync::Arc;
use std::task::Poll;
use std::time::Duration;

use tokio::sync::Notify;
use tokio::time::timeout;
use tokio_postgres::error::SqlState;
use tokio_postgres::types::Type;
use tokio_postgres::{Client, Statement};

use super::error::{failed, no_answer, not_connected};
use super::options::{Server, Settings};
use super::tls::{Connector, Wire};
use crate::clock::BootTime;
use crate::engine::contract::RequestError;
use crate::engine::lease::Lease;
use crate::net;
use crate::sync::{AtomicU64, Ordering};

/// The sequence of the tokens, one for all locks of a database.
pub(super) const SEQUENCE: &str = "public.oslo_coordination_token";

pub(super) struct Session {
    pub(super) number: u64,
    /// As the server knows it.
    pub(super) backend: Backend,
    client: Client,
    statements: Statements,
    lease: Lease,
    /// The end of its lease, in nanoseconds of [`BootTime`].
    until: AtomicU64,
    closed: Arc<Notify>,
}

/// Called with the number of a session that has ended.
pub(super) type OnEnd = Arc<dyn Fn(u64) + Send + Sync>;

/// A process of the server. Numbers are used again, so its start belongs to it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Backend {
    process: i32,
    /// In microseconds.
    started: i64,
}

/// A request for a lock.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Lock {
    IfFree,
    Wait,
}

struct Statements {
    lock_if_free: Statement,
    lock: Statement,
    unlock: Statement,
    /// `None` without tokens.
    next_token: Option<Statement>,
}

impl Session {
    /// Opens a session, within the limit for connections.
    pub(super) async fn open(
        settings: &Arc<Settings>,
        ended: &OnEnd,
    ) -> Result<Arc<Self>, RequestError> {
        let limit = settings.connect_limit;
        match timeout(limit, Self::open_unlimited(settings, ended)).await {
            Ok(outcome) => outcome,
            Err(_) => Err(RequestError::not_sent(no_answer(limit))),
        }
    }

    /// Tries the servers one after another.
    async fn open_unlimited(
        settings: &Arc<Settings>,
        ended: &OnEnd,
    ) -> Result<Arc<Self>, RequestError> {
        let mut last = None;
        for server in &settings.servers {
            match Self::open_at(settings, server, ended).await {
                Ok(session) => return Ok(session),
                Err(error) => last = Some(error),
            }
        }
        Err(last.expect("a URL has at least one server"))
    }

    async fn open_at(
        settings: &Arc<Settings>,
        server: &Server,
        ended: &OnEnd,
    ) -> Result<Arc<Self>, RequestError> {
        static NEXT: AtomicU64 = AtomicU64::new(0);
        let number = NEXT.fetch_add(1, Ordering::Relaxed);
        let asked = BootTime::now();
        let stream = net::connect(&server.address, None, settings.connect_limit)
            .await
            .map_err(RequestError::not_sent)?;
        let connector = Connector {
            tls: settings.tls.clone(),
            host: server.host.clone(),
        };
        let login = settings.login(number);
        let (client, connection) = login
            .connect_raw(Wire(stream), connector)
            .await
            .map_err(not_connected)?;
        let closed = Arc::new(Notify::new());
        let end = Arc::clone(&closed);
        let ended = Arc::clone(ended);
        tokio::spawn(async move {
            let mut connection = pin!(connection);
            let mut end = pin!(end.notified());
            poll_fn(|context| {
                let closed = end.as_mut().poll(context).is_ready();
                match closed || connection.as_mut().poll(context).is_ready() {
                    true => Poll::Ready(()),
                    false => Poll::Pending,
                }
            })
            .await;
            ended(number);
        });
        let backend = Self::greet(&client, settings, number).await?;
        let statements = Statements::prepare(&client, settings).await?;
        let lease = settings.lease;
        Ok(Arc::new(Session {
            number,
            backend,
            client,
            statements,
            lease,
            until: AtomicU64::new(lease.until(asked).nanos()),
            closed,
        }))
    }

    /// Makes sure that this is a session of its own, and of a server that may be written to.
    async fn greet(
        client: &Client,
        settings: &Settings,
        number: u64,
    ) -> Result<Backend, RequestError> {
        let query = "
            SELECT pid, (extract(epoch FROM backend_start) * 1000000)::int8,
                current_setting('oslo_coordination.session', true), pg_is_in_recovery()
            FROM pg_stat_activity WHERE pid = pg_backend_pid()";
        let row = client
            .query_typed_one(query, &[])
            .await
            .map_err(not_connected)?;
        let get = |problem: &str| RequestError::not_sent(std::io::Error::other(problem.to_owned()));
        let session: Option<String> = row.try_get(2).map_err(not_connected)?;
        if session != Some(settings.session(number)) {
            return Err(get(
                "the session has not the settings that were asked for; connect to the server \
                 itself: locks belong to sessions, which a pooler would share",
            ));
        }
        if row.try_get(3).map_err(not_connected)? {
            return Err(get(
                "this server is a standby, whose locks are not those of the primary",
            ));
        }
        Ok(Backend {
            process: row.try_get(0).map_err(not_connected)?,
            started: row.try_get(1).map_err(not_connected)?,
        })
    }

    /// Makes sure that the sequence of tokens exists and may be used.
    pub(super) async fn provide_tokens(&self) -> Result<(), RequestError> {
        let exists = format!(
            "SELECT CASE WHEN to_regclass('{SEQUENCE}') IS NULL THEN NULL
                ELSE has_sequence_privilege('{SEQUENCE}', 'USAGE') END"
        );
        let create = format!("CREATE SEQUENCE IF NOT EXISTS {SEQUENCE}");
        let create = self.client.batch_execute(&create);
        let row = self.client.query_typed_one(&exists, &[]).await;
        let problem = match row.map_err(not_connected)?.get::<_, Option<bool>>(0) {
            Some(true) => return Ok(()),
            Some(false) => "it may not be used".to_owned(),
            None => match create.await {
                Ok(()) => return Ok(()),
                // Another has created it at the same moment.
                Err(error) if error.code() == Some(&SqlState::UNIQUE_VIOLATION) => return Ok(()),
                Err(error) => failed(error).to_string(),
            },
        };
        Err(RequestError::not_sent(std::io::Error::other(format!(
            "tokens need the sequence {SEQUENCE}: {problem}; as the owner of the database: CREATE \
             SEQUENCE IF NOT EXISTS {SEQUENCE}; GRANT USAGE ON SEQUENCE {SEQUENCE} TO the user; or \
             write tokens=false"
        ))))
    }

    /// Lets the server notice that the client is gone while it waits, if its system can.
    pub(super) async fn watch_client(&self) {
        let query = "SELECT set_config('client_connection_check_interval', '5s', false)";
        let _ = self.client.query_typed_one(query, &[]).await;
    }

    pub(super) fn has_ended(&self) -> bool {
        self.client.is_closed()
    }

    /// Closes the connection, at the next opportunity.
    pub(super) fn close(&self) {
        self.closed.notify_one();
    }

    /// Takes the lock and returns its token, or `None` if it is not free.
    pub(super) async fn lock(
        &self,
        key: i64,
        kind: Lock,
    ) -> Result<Option<Option<u64>>, RequestError> {
        let locking = async {
            match kind {
                Lock::IfFree => {
                    let statement = &self.statements.lock_if_free;
                    self.client.query_one(statement, &[&key]).await?.try_get(0)
                }
                Lock::Wait => {
                    let statement = &self.statements.lock;
                    self.client.query_one(statement, &[&key]).await?;
                    Ok(true)
                }
            }
        };
        // Sent at once, carried out one after the other: the token is drawn under the lock.
        let drawing = async {
            let Some(statement) = &self.statements.next_token else {
                return Ok(None);
            };
            let token: i64 = self.client.query_one(statement, &[]).await?.try_get(0)?;
            Ok(u64::try_from(token).ok())
        };
        match both(locking, drawing).await {
            (Ok(false), _) => Ok(None),
            (Ok(true), Ok(token)) => Ok(Some(token)),
            (Ok(true), Err(error)) => {
                self.unlock(key).await?;
                Err(failed(error))
            }
            (Err(error), _) => {
                let error = failed(error);
                if kind == Lock::Wait && !error.unclear {
                    // Cancelled, perhaps in the moment of the grant. It has no other lock.
                    let unlock = "SELECT pg_advisory_unlock_all()";
                    self.client.batch_execute(unlock).await.map_err(failed)?;
                }
                Err(error)
            }
        }
    }

    /// Unlocks the lock; `false` if it was not locked.
    pub(super) async fn unlock(&self, key: i64) -> Result<bool, RequestError> {
        let statement = &self.statements.unlock;
        let row = self.client.query_one(statement, &[&key]).await;
        row.and_then(|row| row.try_get(0)).map_err(failed)
    }

    /// Makes a request, for its answer.
    pub(super) async fn ping(
        &self,
        asked: BootTime,
        limit: Duration,
    ) -> Result<BootTime, RequestError> {
        match timeout(limit, self.client.check_connection()).await {
            Ok(Ok(())) => Ok(self.heard(asked)),
            Ok(Err(error)) => Err(failed(error)),
            Err(_) => Err(RequestError::unclear(no_answer(limit))),
        }
    }

    /// Records that a request of that time was answered. Returns the end of the lease.
    pub(super) fn heard(&self, asked: BootTime) -> BootTime {
        let until = self.lease.until(asked).nanos();
        BootTime::from_nanos(self.until.fetch_max(until, Ordering::SeqCst).max(until))
    }

    pub(super) fn until(&self) -> BootTime {
        BootTime::from_nanos(self.until.load(Ordering::SeqCst))
    }

    /// Cancels the request of another session.
    pub(super) async fn cancel(
        &self,
        session: &Session,
        limit: Duration,
    ) -> Result<(), RequestError> {
        let Backend { process, started } = session.backend;
        let query = "
            SELECT pg_cancel_backend(pid) FROM pg_stat_activity
            WHERE pid = $1 AND (extract(epoch FROM backend_start) * 1000000)::int8 = $2";
        let parameters: [(&(dyn tokio_postgres::types::ToSql + Sync), Type); 2] =
            [(&process, Type::INT4), (&started, Type::INT8)];
        let cancelling = self.client.query_typed(query, &parameters);
        match timeout(limit, cancelling).await {
            Ok(outcome) => outcome.map(drop).map_err(failed),
            Err(_) => Err(RequestError::unclear(no_answer(limit))),
        }
    }

    /// Makes sure that another session has ended. Returns `false` if it has not within half of the
    /// limit.
    pub(super) async fn terminate(
        &self,
        backend: Backend,
        limit: Duration,
    ) -> Result<bool, RequestError> {
        let Backend { process, started } = backend;
        let patience = i64::try_from((limit / 2).as_millis()).unwrap_or(i64::MAX);
        let query = "
            SELECT pg_terminate_backend(pid, $3) FROM pg_stat_activity
            WHERE pid = $1 AND (extract(epoch FROM backend_start) * 1000000)::int8 = $2";
        let parameters: [(&(dyn tokio_postgres::types::ToSql + Sync), Type); 3] = [
            (&process, Type::INT4),
            (&started, Type::INT8),
            (&patience, Type::INT8),
        ];
        let terminating = self.client.query_typed_opt(query, &parameters);
        match timeout(limit, terminating).await {
            // No row: there is no such session.
            Ok(Ok(row)) => Ok(row.is_none_or(|row| row.get(0))),
            Ok(Err(error)) => Err(failed(error)),
            Err(_) => Err(RequestError::unclear(no_answer(limit))),
        }
    }
}

impl Statements {
    async fn prepare(client: &Client, settings: &Settings) -> Result<Self, RequestError> {
        let key = settings.keys.arguments();
        let [lock_if_free, lock, unlock] = [
            "pg_try_advisory_lock",
            "pg_advisory_lock",
            "pg_advisory_unlock",
        ]
        .map(|function| format!("SELECT {function}({key})"));
        // The sequence may not exist yet, so it is no constant.
        let next_token = format!("SELECT nextval('{SEQUENCE}'::text::regclass)");
        let next_token = async {
            match settings.tokens {
                true => client.prepare_typed(&next_token, &[]).await.map(Some),
                false => Ok(None),
            }
        };
        let types = [Type::INT8];
        let locks = both(
            client.prepare_typed(&lock_if_free, &types),
            client.prepare_typed(&lock, &types),
        );
        let unlock = client.prepare_typed(&unlock, &types);
        let ((lock_if_free, lock), (unlock, next_token)) =
            both(locks, both(unlock, next_token)).await;
        Ok(Statements {
            lock_if_free: lock_if_free.map_err(not_connected)?,
            lock: lock.map_err(not_connected)?,
            unlock: unlock.map_err(not_connected)?,
            next_token: next_token.map_err(not_connected)?,
        })
    }
}

/// Awaits two futures, which begin in this order.
async fn both<A, B>(first: impl Future<Output = A>, second: impl Future<Output = B>) -> (A, B) {
    let (mut first, mut second) = (pin!(first), pin!(second));
    let (mut one, mut other) = (None, None);
    poll_fn(|context| {
        if one.is_none() {
            if let Poll::Ready(output) = first.as_mut().poll(context) {
                one = Some(output);
            }
        }
        if other.is_none() {
            if let Poll::Ready(output) = second.as_mut().poll(context) {
                other = Some(output);
            }
        }
        match (one.take(), other.take()) {
            (Some(first), Some(second)) => Poll::Ready((first, second)),
            (first, second) => {
                (one, other) = (first, second);
                Poll::Pending
            }
        }
    })
    .await
}
