//! No process inherits a handle of a lock here unless the lock asks for that, so the children of
//! other tests do not matter.

use crate::testing::finding::Finding;

/// Runs `trial` and returns its verdict.
pub(crate) fn run_isolated(trial: &dyn Fn() -> Finding) -> Finding {
    trial()
}
