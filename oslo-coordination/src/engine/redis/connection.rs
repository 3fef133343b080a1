//! One connection for all requests but those of the listener, made again when it breaks.

use std::io;
use std::sync::Arc;
use std::time::Duration;

use redis::aio::MultiplexedConnection;
use redis::{AsyncConnectionConfig, ErrorKind, FromRedisValue, RedisConnectionInfo, RedisError};
use redis::{ScriptInvocation, ServerErrorKind, cmd};
use tokio::sync::Mutex;
use tokio::time::timeout;

use super::options::Settings;
use crate::clock::BootTime;
use crate::engine::contract::{Boxed, RequestError};
use crate::net;
use crate::sync::{AtomicU64, Ordering};

pub(super) struct Connection {
    settings: Arc<Settings>,
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
    pub(super) fn new(settings: Arc<Settings>) -> Self {
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
        let config = AsyncConnectionConfig::new();
        match open(&self.settings, &self.settings.login, config).await {
            Ok((connection, driver)) => {
                static NEXT: AtomicU64 = AtomicU64::new(0);
                tokio::spawn(driver);
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

/// Opens a connection. The future drives it, as long as there is a clone of it.
pub(super) async fn open(
    settings: &Settings,
    login: &RedisConnectionInfo,
    config: AsyncConnectionConfig,
) -> Result<(MultiplexedConnection, Boxed<'static, ()>), RequestError> {
    let limit = settings.connect_limit;
    // The limit of each request is ours.
    let config = config.set_response_timeout(None);
    let opening = async {
        let stream = net::connect(&settings.address, settings.tls.as_ref(), limit).await;
        let stream = stream.map_err(RequestError::not_sent)?;
        let (connection, driver) = MultiplexedConnection::new_with_config(login, stream, config)
            .await
            .map_err(|error| RequestError {
                unclear: false,
                ..failed(error)
            })?;
        let driver: Boxed<'static, ()> = Box::pin(driver);
        Ok((connection, driver))
    };
    match timeout(limit, opening).await {
        Ok(opened) => opened,
        Err(_) => Err(RequestError::not_sent(no_answer(limit))),
    }
}

pub(super) fn no_answer(limit: Duration) -> io::Error {
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
