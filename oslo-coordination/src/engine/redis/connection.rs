//! One connection for all requests, made again when it breaks.

use std::io;
use std::sync::Arc;
use std::time::Duration;

use redis::aio::MultiplexedConnection;
use redis::{AsyncConnectionConfig, ErrorKind, FromRedisValue, RedisError, ScriptInvocation};
use redis::{ServerErrorKind, cmd};
use tokio::sync::Mutex;
use tokio::time::timeout;

use super::options::Settings;
use crate::clock::BootTime;
use crate::engine::contract::RequestError;
use crate::net;
use crate::sync::{AtomicU64, Ordering};

pub(super) struct Connection {
    settings: Settings,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    live: Option<Live>,
    /// The end of the last attempt to connect that failed, and the error.
    failed: Option<(BootTime, RequestError)>,
}

#[derive(Clone)]
struct Live {
    connection: MultiplexedConnection,
    number: u64,
}

impl Connection {
    pub(super) fn new(settings: Settings) -> Self {
        Connection {
            settings,
            state: Mutex::default(),
        }
    }

    pub(super) fn address(&self) -> String {
        self.settings.address.to_string()
    }

    /// Connects, and makes sure that the server answers.
    pub(super) async fn check(&self) -> Result<(), RequestError> {
        let Live { mut connection, .. } = self.live().await?;
        let ping = cmd("PING");
        self.limit(ping.query_async::<()>(&mut connection)).await
    }

    pub(super) async fn run<T: FromRedisValue>(
        &self,
        script: &ScriptInvocation<'_>,
    ) -> Result<T, RequestError> {
        let Live {
            mut connection,
            number,
        } = self.live().await?;
        let outcome = self.limit(script.invoke_async(&mut connection)).await;
        if outcome
            .as_ref()
            .is_err_and(|error| error.unclear || error.transient)
        {
            self.discard(number).await;
        }
        outcome
    }

    async fn limit<T>(
        &self,
        request: impl Future<Output = Result<T, RedisError>>,
    ) -> Result<T, RequestError> {
        let limit = self.settings.request_limit;
        match timeout(limit, request).await {
            Ok(answer) => answer.map_err(failed),
            Err(_) => Err(RequestError::unclear(no_answer(limit))),
        }
    }

    /// The connection. The first request that needs it connects; the others that wait meanwhile
    /// share the outcome, so that none waits for several attempts.
    async fn live(&self) -> Result<Live, RequestError> {
        let began = BootTime::now();
        let mut state = self.state.lock().await;
        if let Some(live) = &state.live {
            return Ok(live.clone());
        }
        match &state.failed {
            Some((end, error)) if *end > began => return Err(error.clone()),
            _ => {}
        }
        let limit = self.settings.connect_limit;
        let connected = match timeout(limit, self.connect()).await {
            Ok(connected) => connected,
            Err(_) => Err(RequestError::not_sent(no_answer(limit))),
        };
        match connected {
            Ok(connection) => {
                static NEXT: AtomicU64 = AtomicU64::new(0);
                let live = Live {
                    connection,
                    number: NEXT.fetch_add(1, Ordering::Relaxed),
                };
                state.live = Some(live.clone());
                Ok(live)
            }
            Err(error) => {
                state.failed = Some((BootTime::now(), error.clone()));
                Err(error)
            }
        }
    }

    async fn connect(&self) -> Result<MultiplexedConnection, RequestError> {
        let Settings { address, tls, .. } = &self.settings;
        let stream = net::connect(address, tls.as_ref(), self.settings.connect_limit).await;
        // The limit of each request is ours.
        let config = AsyncConnectionConfig::new().set_response_timeout(None);
        let (connection, driver) = MultiplexedConnection::new_with_config(
            &self.settings.login,
            stream.map_err(RequestError::not_sent)?,
            config,
        )
        .await
        .map_err(|error| RequestError {
            unclear: false,
            ..failed(error)
        })?;
        tokio::spawn(driver);
        Ok(connection)
    }

    /// Makes the next request connect anew, unless another has done so.
    async fn discard(&self, number: u64) {
        let mut state = self.state.lock().await;
        if state
            .live
            .as_ref()
            .is_some_and(|live| live.number == number)
        {
            state.live = None;
        }
    }
}

fn no_answer(limit: Duration) -> io::Error {
    io::Error::new(
        io::ErrorKind::TimedOut,
        format!("no answer within {limit:?}"),
    )
}

/// Classifies an error. An answer of the server is clear; a connection that ends is not.
fn failed(error: RedisError) -> RequestError {
    use ServerErrorKind::{BusyLoading, ClusterDown, MasterDown, ReadOnly, TryAgain};
    let transient_code = matches!(error.code(), Some("MISCONF" | "BUSY" | "OOM"));
    let (unclear, transient) = match error.kind() {
        ErrorKind::Server(BusyLoading | ClusterDown | MasterDown | ReadOnly | TryAgain) => {
            (false, true)
        }
        ErrorKind::Server(_) | ErrorKind::Extension => (false, transient_code),
        ErrorKind::AuthenticationFailed | ErrorKind::InvalidClientConfig => (false, false),
        ErrorKind::UnexpectedReturnType => (true, false),
        _ => (true, true),
    };
    RequestError {
        unclear,
        transient,
        cause: Arc::new(error),
    }
}
