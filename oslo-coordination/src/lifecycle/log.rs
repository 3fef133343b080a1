//! The transitions of a lock, for `tracing`.

use std::time::Duration;

use super::state::{Core, Held, Released};
use crate::clock::BootTime;
use crate::engine::{Claim, RequestError};
use crate::lock_name::LockName;

impl Core {
    pub(super) fn log_acquired(&self, name: &LockName, token: Option<u64>, waited: Duration) {
        tracing::debug!(
            lock = name.text(),
            engine = self.engine.name(),
            token,
            waited_seconds = waited.as_secs_f64(),
            "lock acquired"
        );
    }

    pub(super) fn warn_of_long_wait(&self, name: &LockName, waited: Duration) {
        tracing::warn!(
            lock = name.text(),
            engine = self.engine.name(),
            waited_seconds = waited.as_secs_f64(),
            "still waiting for a lock"
        );
    }

    pub(super) fn log_unanswered(&self, claim: &Claim, error: &RequestError) {
        tracing::debug!(
            lock = claim.name.text(),
            engine = self.engine.name(),
            unclear = error.unclear,
            %error,
            "the server did not answer; asking again"
        );
    }

    pub(super) fn log_released(&self, held: &Held, released: &Released) {
        let lock = held.hold.lock_name().text();
        let engine = self.engine.name();
        let held_seconds = BootTime::now().since(held.since).as_secs_f64();
        match released {
            Released::InTime => {
                tracing::debug!(lock, engine, held_seconds, "lock released");
            }
            Released::Lost => {
                tracing::warn!(lock, engine, held_seconds, "a lost lock was released");
            }
            Released::Unconfirmed(error) => {
                tracing::warn!(lock, engine, held_seconds, %error, "a release is left to its lease");
            }
        }
    }
}
