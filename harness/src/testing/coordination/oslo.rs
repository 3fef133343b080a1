//! The locks of `oslo-coordination`.

use std::future::Future;
use std::time::Duration;

use oslo_coordination::{AsyncGuard, Error, Hold, LockOptions};

use super::client::{Attempt, ClientError, Coordinator, Guard, Release};
use super::executor::block_on;
use crate::testing::lock::WaitLimit;

/// A coordinator of `oslo-coordination`.
#[derive(Clone, Debug)]
pub struct Oslo(oslo_coordination::Coordinator);

impl Coordinator for Oslo {
    type Guard = oslo_coordination::Guard;
    type AsyncGuard = AsyncGuard;

    fn connect(url: &str) -> Result<Self, ClientError> {
        let connected =
            oslo_coordination::Coordinator::connect_within(url, Duration::from_secs(10));
        Ok(Oslo(connected?))
    }

    fn acquire(&self, name: &[u8], limit: WaitLimit) -> Result<Attempt<Self::Guard>, ClientError> {
        attempt(limited(self.0.lock(name), limit).acquire())
    }

    async fn acquire_async(
        &self,
        name: &[u8],
        limit: WaitLimit,
    ) -> Result<Attempt<AsyncGuard>, ClientError> {
        attempt(limited(self.0.lock(name), limit).acquire_async().await)
    }

    fn flush(&self, limit: Duration) -> bool {
        self.0.flush(limit)
    }
}

fn limited(lock: LockOptions<'_>, limit: WaitLimit) -> LockOptions<'_> {
    match limit {
        WaitLimit::Forever => lock,
        WaitLimit::NoWait => lock.blocking(false),
        WaitLimit::AtMost(time) => lock.timeout(time),
    }
}

fn attempt<G>(acquired: Result<G, Error>) -> Result<Attempt<G>, ClientError> {
    match acquired {
        Ok(guard) => Ok(Attempt::Acquired(guard)),
        Err(Error::NotAcquired { .. }) => Ok(Attempt::Busy),
        Err(Error::Timeout { .. }) => Ok(Attempt::TimedOut),
        Err(Error::Unavailable { .. }) => Ok(Attempt::Unavailable),
        Err(error) => Err(error.into()),
    }
}

fn ended(released: Result<(), Error>) -> Result<Release, ClientError> {
    match released {
        Ok(()) => Ok(Release::InTime),
        Err(Error::Lost { .. }) => Ok(Release::Lost),
        Err(error) => Err(error.into()),
    }
}

macro_rules! guards {
    ($($guard:ty: $release:expr),*) => {
        $(impl Guard for $guard {
            fn token(&self) -> Option<u64> {
                Hold::token(self)
            }

            fn lost(&self) -> bool {
                Hold::lost(self)
            }

            fn on_lost(&self, function: Box<dyn FnOnce() + Send>) {
                Hold::on_lost(self, function);
            }

            fn until_lost(&self) -> impl Future<Output = ()> {
                Hold::until_lost(self)
            }

            fn release(self) -> Result<Release, ClientError> {
                ended($release(self))
            }
        })*
    };
}

guards!(
    oslo_coordination::Guard: oslo_coordination::Guard::release,
    AsyncGuard: |guard: AsyncGuard| block_on(guard.release())
);
