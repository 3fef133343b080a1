//! Items that the expansion of `#[synchronized]` uses, and one for the tests of this workspace. Not
//! part of the public API: it may change in any release.

use std::fmt::Arguments;

use crate::Error;

/// A return type that can carry a lock's error.
#[diagnostic::on_unimplemented(
    message = "a synchronized function that returns `{Self}` cannot report that its lock failed",
    label = "this return type has no room for an `oslo_coordination::Error`",
    note = "return `Result<_, E>` where `E: From<oslo_coordination::Error>`, or add `or_panic` to \
            `#[synchronized(…)]`"
)]
pub trait LockResult {
    /// The value that carries the error.
    fn lock_failed(error: Error) -> Self;
}

#[diagnostic::do_not_recommend]
impl<T, E: From<Error>> LockResult for Result<T, E> {
    fn lock_failed(error: Error) -> Self {
        Err(error.into())
    }
}

/// Converts `error` to the caller's return type.
#[cold]
pub fn fail<R: LockResult>(error: Error) -> R {
    R::lock_failed(error)
}

/// The name that an expression gives.
pub fn name(name: impl AsRef<[u8]>) -> Vec<u8> {
    name.as_ref().to_vec()
}

/// The name that a literal with fields gives.
pub fn format(name: Arguments<'_>) -> Vec<u8> {
    name.to_string().into_bytes()
}

/// Makes waits of the engine `redis` poll no more often than this, in the whole process. Tests use
/// it to tell a wait that was woken by an event.
#[cfg(feature = "redis")]
pub fn pause_redis_polls(pause: std::time::Duration) {
    let _ = crate::engine::PAUSE_IN_TESTS.set(pause);
}
