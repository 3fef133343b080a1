//! Connections to servers: TCP, Unix sockets, TLS.

mod connect;
mod options;
#[cfg(feature = "tls")]
mod tls;

pub(crate) use connect::{Address, connect};
pub(crate) use options::TlsOptions;

#[cfg(feature = "tls")]
pub(crate) use tls::Tls;

/// Stands in for the settings of TLS.
#[cfg(not(feature = "tls"))]
#[derive(Clone, Debug)]
pub(crate) enum Tls {}

#[cfg(any(feature = "etcd", feature = "postgres", feature = "zookeeper"))]
pub(crate) use connect::Stream;
