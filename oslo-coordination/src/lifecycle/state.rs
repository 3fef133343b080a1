//! The state of one coordinator.

use std::collections::HashMap;
use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::Notify;

use super::busy::Busy;
use super::hold::Hold;
use super::schedule::Schedule;
use super::turns::{Turn, Turns};
use crate::clock::BootTime;
use crate::engine::{Claim, Engine, Grant, RequestError};
use crate::rt::{self, Spawner};
use crate::sync::{AtomicU64, Mutex, Ordering, lock};

/// The state of one coordinator.
pub(crate) struct Core {
    pub(super) engine: Box<dyn Engine>,
    pub(super) spawner: Spawner,
    pub(super) turns: Arc<Turns>,
    pub(super) held: Mutex<HashMap<Arc<str>, Held>>,
    /// Notified when `held` changes.
    pub(super) changed: Notify,
    pub(super) busy: Arc<Busy>,
    /// Notified when the last handle is gone.
    pub(super) end: Notify,
    /// Distinguishes the claims of this coordinator from those of every other.
    pub(super) member: String,
    pub(super) next_claim: AtomicU64,
}

/// A lock that the engine has given to this coordinator.
#[derive(Debug)]
pub(crate) struct Held {
    pub(super) claim: Claim,
    pub(super) hold: Arc<Hold>,
    pub(super) turn: Turn,
    pub(super) since: BootTime,
    /// `None` if the hold has no lease, or is lost.
    pub(super) schedule: Option<Schedule>,
}

impl Held {
    pub(super) fn new(claim: Claim, grant: Grant, turn: Turn) -> Self {
        Held {
            hold: Arc::new(Hold::new(claim.name.clone(), grant.token, grant.until)),
            claim,
            turn,
            since: BootTime::now(),
            schedule: None,
        }
    }
}

/// The outcome of a release.
#[derive(Debug)]
pub(crate) enum Released {
    /// The lock was held until it was released.
    InTime,
    /// The lock may have had another holder before.
    Lost,
    /// The server did not answer until the lease had ended.
    Unconfirmed(RequestError),
}

impl Core {
    pub(crate) fn new(engine: Box<dyn Engine>, spawner: Spawner, member: String) -> Arc<Self> {
        Arc::new(Core {
            engine,
            spawner,
            turns: Arc::default(),
            held: Mutex::default(),
            changed: Notify::new(),
            busy: Arc::default(),
            end: Notify::new(),
            member,
            next_claim: AtomicU64::new(0),
        })
    }

    pub(crate) async fn until_idle(&self) {
        self.busy.until_idle().await;
    }

    pub(crate) fn spawner(&self) -> &Spawner {
        &self.spawner
    }

    /// Returns `true` if nothing is held, asked for or being released.
    #[allow(dead_code, reason = "for the model tests")]
    pub(crate) fn is_idle(&self) -> bool {
        self.turns.is_idle() && lock(&self.held).is_empty()
    }

    pub(super) fn new_id(&self) -> Arc<str> {
        let number = self.next_claim.fetch_add(1, Ordering::SeqCst);
        format!("{}-{number}", self.member).into()
    }

    pub(super) fn holds(&self) -> Vec<Arc<Hold>> {
        let held = lock(&self.held);
        held.values().map(|held| Arc::clone(&held.hold)).collect()
    }

    pub(super) fn lose(&self, hold: &Hold, reason: &str) {
        if hold.lose() {
            tracing::warn!(lock = hold.lock_name().text(), reason, "lock lost");
        }
    }

    /// Sleeps for this time, or less.
    pub(super) async fn pause(&self, duration: Duration) {
        rt::sleep(duration).await;
    }
}

impl fmt::Debug for Core {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Core")
            .field("engine", &self.engine.name())
            .field("member", &self.member)
            .finish_non_exhaustive()
    }
}
