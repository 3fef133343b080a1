//! The seed of a run for which nobody has named one.

use std::time::{SystemTime, UNIX_EPOCH};

/// Another one each time, in containers too, where process ids hardly differ.
pub fn fresh_seed() -> u64 {
    let time = SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .unwrap_or_default();
    (time.as_nanos() as u64 ^ u64::from(std::process::id()).rotate_left(20)) & 0xffff_ffff
}
