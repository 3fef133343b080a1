//! Items that the expansion of `#[synchronized]` uses. Not part of the public API: it may change in
//! any release.

use crate::lockutils::Error;
pub use crate::lockutils::config::ini_option;
#[cfg(feature = "tokio")]
pub use crate::lockutils::site::Section;
pub use crate::lockutils::site::{Site, SiteGuard};

/// A return type that can carry a lock's error.
#[diagnostic::on_unimplemented(
    message = "a synchronized function that returns `{Self}` cannot report that its lock failed",
    label = "this return type has no room for a `lockutils::Error`",
    note = "return `Result<_, E>` where `E: From<lockutils::Error>`; `lockutils::Error` itself \
            will do, or add `#[from] lockutils::Error` to your error",
    note = "or add `or_panic` to `#[synchronized(…)]`, so that a lock that fails panics"
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
