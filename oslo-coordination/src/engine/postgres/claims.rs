//! The place of a claim in a session: one request, whose answer may come later than its caller
//! waits.

use std::future::Future;
use std::io;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::{OwnedSemaphorePermit, watch};
use tokio::time::timeout;

use super::error::no_answer;
use super::session::{Lock, Session};
use crate::engine::contract::RequestError;

/// The stage of a claim.
#[derive(Clone, Debug)]
pub(super) enum Stage {
    /// A request is under way.
    Asked,
    Held(Option<u64>),
    /// Another session has the lock.
    NotFree,
    /// Unlocked; `false` if it was not locked.
    Unlocked(bool),
    /// The request was refused, or the session ended.
    Failed(RequestError),
}

pub(super) struct Place {
    pub(super) session: Arc<Session>,
    key: i64,
    stage: watch::Sender<Stage>,
    /// The right to a session of its own.
    permit: Option<OwnedSemaphorePermit>,
}

impl Place {
    /// Sends the request. It goes on whatever becomes of its caller.
    pub(super) fn enter(
        session: Arc<Session>,
        key: i64,
        kind: Lock,
        permit: Option<OwnedSemaphorePermit>,
    ) -> Arc<Self> {
        let (stage, _) = watch::channel(Stage::Asked);
        let place = Arc::new(Place {
            session,
            key,
            stage,
            permit,
        });
        let session = Arc::clone(&place.session);
        place.carry_out(async move {
            match session.lock(key, kind).await {
                Ok(Some(token)) => Stage::Held(token),
                Ok(None) => Stage::NotFree,
                Err(error) => Stage::Failed(error),
            }
        });
        place
    }

    /// Unlocks a lock that is held.
    pub(super) fn unlock(self: &Arc<Self>) {
        self.stage.send_replace(Stage::Asked);
        let (session, key) = (Arc::clone(&self.session), self.key);
        self.carry_out(async move {
            match session.unlock(key).await {
                Ok(was_locked) => Stage::Unlocked(was_locked),
                Err(error) => Stage::Failed(error),
            }
        });
    }

    fn carry_out(self: &Arc<Self>, request: impl Future<Output = Stage> + Send + 'static) {
        let place = Arc::clone(self);
        tokio::spawn(async move {
            let stage = request.await;
            place.stage.send_replace(stage);
        });
    }

    /// Returns `true` if the claim waits in the queue of the server, or has waited there.
    pub(super) fn waits(&self) -> bool {
        self.permit.is_some()
    }

    pub(super) fn is_asked(&self) -> bool {
        matches!(*self.stage.borrow(), Stage::Asked)
    }

    pub(super) fn holds(&self) -> bool {
        matches!(*self.stage.borrow(), Stage::Held(_))
    }

    /// Returns `true` if the session may have the lock.
    pub(super) fn may_hold(&self) -> bool {
        matches!(*self.stage.borrow(), Stage::Asked | Stage::Held(_))
    }

    /// The stage after the request that is under way. Nothing is held by a session that has ended.
    ///
    /// # Errors
    /// Returns an unclear error if there is no answer within `limit`.
    pub(super) async fn answer(&self, limit: Duration) -> Result<Stage, RequestError> {
        match timeout(limit, self.answer_unlimited()).await {
            Ok(stage) => Ok(stage),
            Err(_) => Err(RequestError::unclear(no_answer(limit))),
        }
    }

    pub(super) async fn answer_unlimited(&self) -> Stage {
        let mut stages = self.stage.subscribe();
        let stage = stages
            .wait_for(|stage| !matches!(stage, Stage::Asked))
            .await
            .expect("the sender is ours")
            .clone();
        match stage {
            Stage::Held(_) if self.session.has_ended() => Stage::Failed(RequestError::unclear(
                io::Error::from(io::ErrorKind::ConnectionReset),
            )),
            stage => stage,
        }
    }
}
