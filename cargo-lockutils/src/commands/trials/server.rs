//! The server that the workers of a trial use.

use std::path::Path;

use anyhow::Result;
use lockutils_harness::engines::{Engine, Server};
use lockutils_harness::workers::LockUnderTest;

/// Starts a server of this engine with its files below `base`, or takes the running one at this
/// address.
pub fn server(
    engine: Option<&Engine>,
    address: Option<&str>,
    base: &Path,
) -> Result<Option<Server>> {
    Ok(match (engine, address) {
        (Some(engine), _) => Some(Server::start(engine, &base.join("server"))?),
        (None, Some(address)) => Some(Server::at(address)?),
        (None, None) => None,
    })
}

/// The lock, whose workers know the server.
pub fn on_server(lock: &LockUnderTest, server: Option<&Server>) -> LockUnderTest {
    let lock = lock.clone();
    match server {
        Some(server) => lock.on_server(server.address(), server.environment()),
        None => lock,
    }
}
