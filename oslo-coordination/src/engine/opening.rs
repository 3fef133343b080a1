//! One attempt to connect for all who need a connection.

use std::future::Future;
use std::sync::Arc;

use tokio::sync::Mutex;

use super::contract::RequestError;
use crate::clock::BootTime;

/// Held while a connection is opened: the end of the last attempt, and its error, if it failed.
#[derive(Default)]
pub(super) struct Opening(Mutex<Option<(BootTime, RequestError)>>);

impl Opening {
    /// The current connection, opened if there is none. Those who wait meanwhile share the outcome,
    /// so that none waits for several attempts.
    pub(super) async fn share<C>(
        &self,
        current: impl Fn() -> Option<Arc<C>>,
        open: impl Future<Output = Result<Arc<C>, RequestError>>,
    ) -> Result<Arc<C>, RequestError> {
        if let Some(connection) = current() {
            return Ok(connection);
        }
        let began = BootTime::now();
        let mut failed = self.0.lock().await;
        if let Some(connection) = current() {
            return Ok(connection);
        }
        match &*failed {
            Some((end, error)) if *end > began => return Err(error.clone()),
            _ => {}
        }
        let opened = open.await;
        *failed = opened
            .as_ref()
            .err()
            .map(|error| (BootTime::now(), error.clone()));
        opened
    }
}
