//! The end of a hold or of an unclear acquire: the engine is told until it has answered, or until
//! the lease has ended by itself.

use std::sync::Arc;
use std::time::Duration;

use super::backoff::Backoff;
use super::reply::Sender;
use super::state::{Core, Held, Released};
use crate::clock::BootTime;
use crate::engine::{Claim, RequestError};
use crate::sync::lock;

/// Time for releases by an engine without leases.
const WITHOUT_LEASE: Duration = Duration::from_secs(30);

impl Core {
    /// Ends a hold, without waiting for the engine.
    pub(super) fn release(self: &Arc<Self>, id: &str, caller: Option<Sender<Released>>) {
        let Some(held) = lock(&self.held).remove(id) else {
            return;
        };
        // The thread may ask for the lock again from now on.
        held.turn.set_holder(None);
        let core = Arc::clone(self);
        let busy = self.busy.enter();
        self.spawner.spawn(async move {
            let released = core.settle(&held).await;
            core.log_released(&held, &released);
            // The next in line asks after this release, so that it does not meet our own claim.
            drop(held.turn);
            drop(busy);
            if let Some(caller) = caller {
                let _ = caller.send(released);
            }
        });
    }

    async fn settle(&self, held: &Held) -> Released {
        let was_lost = held.hold.lost();
        match self.release_until(&held.claim).await {
            Ok(true) if !was_lost => Released::InTime,
            Ok(_) => Released::Lost,
            Err(_) if was_lost => Released::Lost,
            Err(error) => Released::Unconfirmed(error),
        }
    }

    /// Makes sure that the engine has nothing of a claim whose caller does not want it any more.
    pub(super) async fn undo(&self, claim: &Claim) {
        if let Err(error) = self.release_until(claim).await {
            let lock = claim.name.text();
            tracing::warn!(lock, %error, "an abandoned request is left to its lease");
        }
    }

    /// Releases the claim. Gives up when its lease must have ended.
    async fn release_until(&self, claim: &Claim) -> Result<bool, RequestError> {
        let end = BootTime::now() + self.engine.lease().unwrap_or(WITHOUT_LEASE);
        let mut backoff = Backoff::new();
        loop {
            match self.engine.release(claim).await {
                Err(error) if error.transient && BootTime::now() < end => {
                    self.pause(backoff.next()).await;
                }
                outcome => return outcome,
            }
        }
    }
}
