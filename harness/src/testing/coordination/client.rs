//! The interface through which the suite uses a coordinator.

use std::error::Error;
use std::future::Future;
use std::time::Duration;

use crate::testing::lock::WaitLimit;

/// An error of the client under test.
pub type ClientError = Box<dyn Error + Send + Sync>;

/// A client of a service that keeps locks, of any implementation.
///
/// Each trial connects several of them, in this process and in others. A client may be arbitrarily
/// wrong: the suite exists to find that out.
pub trait Coordinator: Send + Sync + Sized + 'static {
    /// A held lock, released when it is dropped.
    type Guard: Guard;
    /// A lock held by a task.
    type AsyncGuard: Guard + Send;

    /// Connects to the service of the URL.
    ///
    /// # Errors
    /// Returns an error if the service cannot be reached.
    fn connect(url: &str) -> Result<Self, ClientError>;

    /// Acquires the lock.
    ///
    /// # Errors
    /// Returns any failure that is not an [`Attempt`].
    fn acquire(&self, name: &[u8], limit: WaitLimit) -> Result<Attempt<Self::Guard>, ClientError>;

    /// Acquires the lock in a task. Its executor may be any, and may stop polling at any time.
    ///
    /// # Errors
    /// The same as [`acquire`](Self::acquire).
    fn acquire_async(
        &self,
        name: &[u8],
        limit: WaitLimit,
    ) -> impl Future<Output = Result<Attempt<Self::AsyncGuard>, ClientError>> + Send;

    /// Waits until every lock whose guard was dropped is released at the server, and returns `false`
    /// if that takes longer than `limit`.
    fn flush(&self, limit: Duration) -> bool;
}

/// A held lock.
pub trait Guard: Sized {
    /// The fencing token, if the service gives any.
    fn token(&self) -> Option<u64>;

    /// Returns `true` if another holder may have the lock by now.
    fn lost(&self) -> bool;

    /// Calls `function` once if the lock is lost before the guard is dropped.
    fn on_lost(&self, function: Box<dyn FnOnce() + Send>);

    /// Waits until the lock is lost.
    fn until_lost(&self) -> impl Future<Output = ()>;

    /// Releases the lock and waits for the server's answer.
    ///
    /// # Errors
    /// Returns any failure that is not a loss.
    fn release(self) -> Result<Release, ClientError>;
}

/// The answer of a coordinator to one acquire.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Attempt<G> {
    /// The lock was acquired.
    Acquired(G),
    /// Another holder has the lock, and the limit was [`WaitLimit::NoWait`].
    Busy,
    /// Others held the lock for the whole time of [`WaitLimit::AtMost`].
    TimedOut,
    /// The server did not answer within the limit.
    Unavailable,
}

/// The end of a hold.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Release {
    /// The lock was held until it was released.
    InTime,
    /// The lock was lost before.
    Lost,
}
