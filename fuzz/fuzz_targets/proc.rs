//! Files of /proc, as the library and as `cargo lockutils ls` read them.
#![no_main]

use libfuzzer_sys::fuzz_target;

#[allow(dead_code, reason = "the command uses all of it")]
#[path = "../../cargo-lockutils/src/lock_scan/mod.rs"]
mod lock_scan;

fuzz_target!(|text: &str| {
    oslo_concurrency::properties::proc_files(text);
    lock_scan::properties::proc_files(text);
});
