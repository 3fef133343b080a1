//! Claims that have lost their lock, or their place in a queue, until they are reported.

use std::mem;
use std::sync::Arc;

use tokio::sync::Notify;

use crate::sync::{Mutex, lock};

#[derive(Default)]
pub(super) struct Losses {
    claims: Mutex<Vec<Arc<str>>>,
    grown: Notify,
}

impl Losses {
    pub(super) fn add(&self, claims: impl IntoIterator<Item = Arc<str>>) {
        lock(&self.claims).extend(claims);
        self.grown.notify_one();
    }

    /// Waits for losses, and takes them.
    pub(super) async fn take(&self) -> Vec<Arc<str>> {
        loop {
            let claims = mem::take(&mut *lock(&self.claims));
            if !claims.is_empty() {
                return claims;
            }
            self.grown.notified().await;
        }
    }
}
