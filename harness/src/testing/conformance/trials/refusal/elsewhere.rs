//! Nothing makes these kernels refuse a lock.

use super::super::support::{Make, not_available};
use crate::sys::Means;
use crate::testing::finding::Finding;
use crate::testing::lock::Lock;

pub(crate) fn refusal<L: Lock>(_make: Make<'_, L>) -> Finding {
    not_available(Means::Refusal)
}
