//! The conformance suite with our locks, with other correct locks, and with locks broken on
//! purpose.

// The locks and the faults here are those of Linux; `portable.rs` runs everywhere.
#![cfg(target_os = "linux")]

mod broken;
mod correct;

use lockutils_harness::lock_conformance;
use lockutils_harness::testing::conformance::Oslo;

lock_conformance!(
    external,
    |directory: &std::path::Path| Oslo::new(directory),
    not_promised: [fairness]
);
lock_conformance!(fair, |directory: &std::path::Path| Oslo::fair(directory));
