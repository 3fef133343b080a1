//! A stream to a server.

use std::fmt;
use std::io;
use std::path::PathBuf;
use std::time::Duration;

use socket2::{SockRef, TcpKeepalive};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;
use tokio::time::timeout;

use super::Tls;
#[cfg(any(feature = "etcd", feature = "zookeeper"))]
use crate::url::ServiceUrl;

/// The place where a server listens.
#[derive(Clone, Debug)]
#[allow(dead_code, reason = "each engine uses a part")]
pub(crate) enum Address {
    Tcp { host: String, port: u16 },
    Unix(PathBuf),
}

impl Address {
    /// The servers of a URL, on this machine if it names none.
    #[cfg(any(feature = "etcd", feature = "zookeeper"))]
    pub(crate) fn of_servers(url: &ServiceUrl, port: u16) -> Vec<Self> {
        let tcp = |host: &str, own: Option<u16>| Address::Tcp {
            host: host.to_owned(),
            port: own.unwrap_or(port),
        };
        match url.endpoints.as_slice() {
            [] => vec![tcp("localhost", None)],
            endpoints => endpoints
                .iter()
                .map(|endpoint| tcp(&endpoint.host, endpoint.port))
                .collect(),
        }
    }

    /// Addresses for a message.
    #[cfg(any(feature = "etcd", feature = "postgres", feature = "zookeeper"))]
    pub(crate) fn list<'a>(addresses: impl IntoIterator<Item = &'a Self>) -> String {
        let addresses = addresses.into_iter().map(ToString::to_string);
        addresses.collect::<Vec<_>>().join(", ")
    }
}

/// A silent connection is tried after this time, and every few seconds until it counts as broken.
const KEEP_ALIVE: TcpKeepalive = TcpKeepalive::new()
    .with_time(Duration::from_secs(15))
    .with_interval(Duration::from_secs(5));

/// A connection.
pub(crate) trait Stream: AsyncRead + AsyncWrite + Send + Unpin {}

impl<S: AsyncRead + AsyncWrite + Send + Unpin> Stream for S {}

/// Connects within `limit`, and agrees on TLS if it is wanted.
pub(crate) async fn connect(
    address: &Address,
    tls: Option<&Tls>,
    limit: Duration,
) -> io::Result<Box<dyn Stream>> {
    match timeout(limit, connect_unlimited(address, tls)).await {
        Ok(connected) => connected,
        Err(_) => Err(io::Error::new(
            io::ErrorKind::TimedOut,
            format!("no connection within {limit:?}"),
        )),
    }
}

async fn connect_unlimited(address: &Address, tls: Option<&Tls>) -> io::Result<Box<dyn Stream>> {
    match address {
        Address::Tcp { host, port } => {
            let stream = TcpStream::connect((host.as_str(), *port)).await?;
            stream.set_nodelay(true)?;
            // A wait may be silent for hours; firewalls forget such connections.
            SockRef::from(&stream).set_tcp_keepalive(&KEEP_ALIVE)?;
            match tls {
                None => Ok(Box::new(stream)),
                #[cfg(feature = "tls")]
                Some(tls) => Ok(Box::new(tls.connect(host, stream).await?)),
                #[cfg(not(feature = "tls"))]
                Some(tls) => match *tls {},
            }
        }
        #[cfg(unix)]
        Address::Unix(path) => Ok(Box::new(tokio::net::UnixStream::connect(path).await?)),
        #[cfg(not(unix))]
        Address::Unix(_) => Err(io::ErrorKind::Unsupported.into()),
    }
}

impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Address::Tcp { host, port } if host.contains(':') => write!(f, "[{host}]:{port}"),
            Address::Tcp { host, port } => write!(f, "{host}:{port}"),
            Address::Unix(path) => write!(f, "{}", path.display()),
        }
    }
}
