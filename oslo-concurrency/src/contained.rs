//! Calls of foreign code at places where a panic must not unwind.

use std::panic::{AssertUnwindSafe, catch_unwind};

/// Runs `call` and returns `None` if it panics. The panic hook has already reported the panic, by
/// default on standard error.
pub(crate) fn contained<T>(call: impl FnOnce() -> T) -> Option<T> {
    match catch_unwind(AssertUnwindSafe(call)) {
        Ok(value) => Some(value),
        Err(payload) => {
            std::mem::forget(payload); // dropping it may panic again
            None
        }
    }
}
