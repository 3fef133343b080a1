//! Named locks for tasks; feature `tokio`.

use std::future::{Future, poll_fn};
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::task::Poll;
use std::time::{Duration, Instant};

use tracing::level_filters::LevelFilter;

use super::guard::{Held, HeldExternal, Hold};
use super::{Error, LockOptions};
use crate::alarms::Alarm;
use crate::asynchronous::acquire::TaskAcquire;
use crate::asynchronous::kernel_wait::Turn;
use crate::files::FileLockError;
use crate::fork;
use crate::named::lock_table::{ExternalEntry, InternalEntry};
use crate::named::long_wait::LongWait;
use crate::threads::new_task;
use crate::threads::section;
use crate::wait::{AcquireFailure, Wait};

/// A lock held by a task. Dropping the guard releases the lock, even if the task is cancelled or
/// panics.
///
/// The guard may be held across an `.await` and sent to another thread or task, which then holds
/// the lock. In a forked child it is void.
#[derive(Debug)]
#[must_use = "the lock is released when the guard is dropped"]
pub struct AsyncGuard {
    _hold: Hold,
}

impl AsyncGuard {
    /// Releases the lock now.
    pub fn release(self) {
        drop(self);
    }
}

impl<'a> LockOptions<'a> {
    /// Acquires the lock without blocking the thread. Requires the feature `tokio`.
    ///
    /// This is the same lock that [`acquire`](Self::acquire) takes: tasks, threads and other
    /// processes exclude each other. While another process holds the lock, one helper thread for
    /// each lock file waits in the kernel, outside any executor's pool. The system calls that open,
    /// try and check the lock file run in place. Any executor works, except with a
    /// [`timeout`](Self::timeout), which requires a tokio runtime with time enabled.
    ///
    /// Dropping the future is safe at any moment: it leaves the queue, or gives back what it was
    /// granted. A wait in the kernel is interrupted; if the kernel grants the lock at the same
    /// moment, the lock is released at once. A future that is neither polled nor dropped may keep
    /// others waiting, as with every fair lock.
    ///
    /// The lock has no owner that could be recognized: a task that requests a lock whose guard it
    /// has waits until another branch of the task or another task drops the guard, or forever.
    /// [`run_async`](Self::run_async) and `#[synchronized]` detect this and fail. A blocking
    /// acquire on a thread whose own task holds the lock is not detected either, so use this method
    /// in tasks.
    ///
    /// The lock path is determined when the future is first polled, in the scope of that thread.
    ///
    /// # Errors
    /// The same as [`acquire`](Self::acquire), with these differences: returns
    /// [`Error::WouldDeadlock`] only inside a section of the same lock, and [`Error::Io`] also if
    /// the waiting thread cannot be started.
    ///
    /// # Panics
    /// Panics if it waits with a timeout outside a tokio runtime, or in a runtime without time
    /// enabled.
    ///
    /// ```
    /// use oslo_concurrency::lockutils;
    ///
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), lockutils::Error> {
    /// let guard = lockutils::lock("image-7").acquire_async().await?;
    /// tokio::task::yield_now().await;
    /// tokio::spawn(async move { drop(guard) });
    /// # Ok(())
    /// # }
    /// ```
    pub async fn acquire_async(self) -> Result<AsyncGuard, Error> {
        let (internal, external) = self.entries()?;
        self.acquire_entries_async(internal, external, "", new_task())
            .await
    }

    /// Runs `section` while the lock is held. Requires the feature `tokio`. When cancelled, it
    /// drops the section before it releases the lock.
    ///
    /// Code inside the section that requests the lock again, with `acquire` or `acquire_async`,
    /// gets [`Error::WouldDeadlock`]. This does not extend to tasks that the section spawns.
    ///
    /// # Errors
    /// The same as [`acquire_async`](Self::acquire_async). If it fails, `section` has not run.
    ///
    /// # Panics
    /// The same as [`acquire_async`](Self::acquire_async).
    ///
    /// ```
    /// use oslo_concurrency::lockutils::{self, Error};
    ///
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), lockutils::Error> {
    /// let again = lockutils::lock("image-7")
    ///     .run_async(|| async { lockutils::lock("image-7").acquire_async().await })
    ///     .await?;
    /// assert!(matches!(again, Err(Error::WouldDeadlock { .. })));
    /// # Ok(())
    /// # }
    /// ```
    pub async fn run_async<F>(self, section: impl FnOnce() -> F) -> Result<F::Output, Error>
    where
        F: Future,
    {
        let owner = new_task();
        let (internal, external) = self.entries()?;
        let _guard = self
            .acquire_entries_async(internal, external, "", owner)
            .await?;
        Ok(section::within(owner, section()).await)
    }

    pub(crate) async fn acquire_entries_async(
        self,
        internal: Arc<InternalEntry>,
        external: Option<Arc<ExternalEntry>>,
        function: &'static str,
        owner: u64,
    ) -> Result<AsyncGuard, Error> {
        let asked = self.asked();
        let wait = self.wait();
        let request = TaskAcquire {
            internal,
            external,
            fair: self.fair,
            owner,
            may_wait: wait != Wait::Never,
        };
        let mut acquired = pin!(request.acquire());
        let at_once = poll_fn(|context| {
            Poll::Ready(match acquired.as_mut().poll(context) {
                Poll::Ready(outcome) => Some(outcome),
                Poll::Pending => None,
            })
        });
        let outcome = match at_once.await {
            Some(outcome) => outcome,
            None => {
                let _warning = warn_of_a_long_wait(&request, self.name, function, self.warn_after);
                within(wait, acquired).await
            }
        };
        let (internal, turn) = outcome.map_err(|failure| Error::on_file(self.name, failure))?;
        let external = turn.and_then(Turn::into_entry).map(|entry| HeldExternal {
            entry,
            fair: request.fair,
        });
        let internal = internal.into_entry();
        Ok(AsyncGuard {
            _hold: Hold::new(Held { external, internal }, function, asked),
        })
    }
}

/// Awaits `acquired` until the deadline.
async fn within<T>(
    wait: Wait,
    acquired: Pin<&mut impl Future<Output = Result<T, FileLockError>>>,
) -> Result<T, FileLockError> {
    let Wait::Until(deadline) = wait else {
        return acquired.await;
    };
    // Counted from now on tokio's clock, which a test may have paused.
    let left = deadline.saturating_duration_since(Instant::now());
    tokio::time::timeout(left, acquired)
        .await
        .unwrap_or(Err(FileLockError::NotAcquired(AcquireFailure::TimedOut)))
}

/// Warns of a long wait until the returned alarm is dropped.
fn warn_of_a_long_wait(
    request: &TaskAcquire,
    name: &str,
    function: &'static str,
    after: Duration,
) -> Option<Alarm> {
    if after == Duration::MAX
        || LevelFilter::WARN > LevelFilter::current()
        || !fork::may_log()
        || !tracing::enabled!(tracing::Level::WARN)
    {
        return None;
    }
    let long_wait = LongWait {
        name: name.to_owned(),
        function,
        waiter: request.owner,
        internal: Some(Arc::clone(&request.internal)),
        external: request.external.clone(),
    };
    long_wait.warn(Duration::ZERO, after)
}
