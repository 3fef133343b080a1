//! Engines: the servers, and the directory, that keep locks. Each has a folder; the coordinator
//! knows them only through [`contract`].

mod contract;
#[cfg(feature = "etcd")]
mod etcd;
mod file;
#[cfg(any(
    feature = "etcd",
    feature = "postgres",
    feature = "redis",
    feature = "zookeeper"
))]
mod lease;
#[cfg(any(feature = "postgres", feature = "zookeeper"))]
mod losses;
#[cfg(any(feature = "postgres", feature = "zookeeper"))]
mod opening;
#[cfg(feature = "postgres")]
mod postgres;
#[cfg(feature = "redis")]
mod redis;
mod schemes;
#[cfg(feature = "zookeeper")]
mod zookeeper;

pub(crate) use contract::{
    Answered, Cause, Claim, ConnectError, Engine, Grant, RequestError, Seen, Waited,
};
#[cfg(feature = "redis")]
pub(crate) use redis::PAUSE_IN_TESTS;
pub(crate) use schemes::{connect, unknown};
