//! Fresh seeds.

use std::time::{SystemTime, UNIX_EPOCH};

/// A fresh seed. The time makes it differ even in containers, where process ids repeat.
pub fn fresh_seed() -> u64 {
    let time = SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .unwrap_or_default();
    (time.as_nanos() as u64 ^ u64::from(std::process::id()).rotate_left(20)) & 0xffff_ffff
}
