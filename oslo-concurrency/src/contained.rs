//! Foreign code, called where a panic must not unwind.

use std::panic::{AssertUnwindSafe, catch_unwind};

/// Runs `call`; a panic ends here. The panic hook has reported it already, by default on the standard error.
pub(crate) fn contained<T>(call: impl FnOnce() -> T) -> Option<T> {
    match catch_unwind(AssertUnwindSafe(call)) {
        Ok(value) => Some(value),
        Err(payload) => {
            std::mem::forget(payload); // dropping it may panic again
            None
        }
    }
}
