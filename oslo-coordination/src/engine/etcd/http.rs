//! Connections that carry one request after another, and are kept while they are idle.

use http_body_util::{BodyExt, Full};
use hyper::body::{Bytes, Incoming};
use hyper::client::conn::http1::{self, SendRequest};
use hyper::header::{AUTHORIZATION, CONTENT_TYPE, HOST};
use hyper::{Request, Response};

use super::options::Settings;
use super::stream::Io;
use crate::engine::contract::RequestError;
use crate::net;
use crate::sync::{AtomicUsize, Mutex, Ordering, lock};

pub(super) type Connection = SendRequest<Full<Bytes>>;

/// The connections to the servers of a URL.
pub(super) struct Pool {
    settings: Settings,
    /// The server that is used now.
    server: AtomicUsize,
    idle: Mutex<Vec<Connection>>,
}

/// Idle connections that are kept.
const KEPT: usize = 8;

impl Pool {
    pub(super) fn new(settings: Settings) -> Self {
        Pool {
            settings,
            server: AtomicUsize::new(0),
            idle: Mutex::default(),
        }
    }

    pub(super) fn settings(&self) -> &Settings {
        &self.settings
    }

    /// A connection that is open as far as is known. Servers are tried one after another.
    pub(super) async fn connection(&self) -> Result<Connection, RequestError> {
        loop {
            let Some(connection) = lock(&self.idle).pop() else {
                break;
            };
            if connection.is_ready() {
                return Ok(connection);
            }
        }
        let mut last = None;
        for _ in &self.settings.addresses {
            let server = self.server.load(Ordering::SeqCst);
            match self.connect(server).await {
                Ok(connection) => return Ok(connection),
                Err(error) => {
                    self.leave(server);
                    last = Some(error);
                }
            }
        }
        Err(last.expect("a URL has at least one server"))
    }

    async fn connect(&self, server: usize) -> Result<Connection, RequestError> {
        let Settings { addresses, tls, .. } = &self.settings;
        let address = &addresses[server % addresses.len()];
        let limit = self.settings.connect_limit;
        let stream = net::connect(address, tls.as_ref(), limit)
            .await
            .map_err(RequestError::not_sent)?;
        let (sender, driver) = http1::handshake(Io(stream))
            .await
            .map_err(RequestError::not_sent)?;
        tokio::spawn(async move {
            // Its end shows in the request that was under way.
            let _ = driver.await;
        });
        Ok(sender)
    }

    /// Keeps a connection whose answer was read to its end.
    pub(super) fn keep(&self, connection: Connection) {
        let mut idle = lock(&self.idle);
        if idle.len() < KEPT {
            idle.push(connection);
        }
    }

    /// Turns to the next server, and leaves the connections to this one.
    pub(super) fn turn(&self) {
        self.leave(self.server.load(Ordering::SeqCst));
    }

    fn leave(&self, server: usize) {
        let next = server.wrapping_add(1);
        let turned = self
            .server
            .compare_exchange(server, next, Ordering::SeqCst, Ordering::SeqCst);
        if turned.is_ok() {
            lock(&self.idle).clear();
        }
    }
}

/// A POST request with a JSON body.
pub(super) fn post(
    path: &str,
    host: &str,
    authorization: Option<&str>,
    body: String,
) -> Request<Full<Bytes>> {
    let mut request = Request::post(path)
        .header(HOST, host)
        .header(CONTENT_TYPE, "application/json");
    if let Some(token) = authorization {
        request = request.header(AUTHORIZATION, token);
    }
    request.body(Full::from(body)).expect("the parts are valid")
}

/// Reads the answer to its end.
pub(super) async fn read(response: Response<Incoming>) -> Result<Bytes, hyper::Error> {
    Ok(response.into_body().collect().await?.to_bytes())
}
