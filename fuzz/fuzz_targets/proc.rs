//! Files of `/proc`, as the library and the harness read them, and names of lock files.
#![no_main]

use libfuzzer_sys::fuzz_target;

#[allow(dead_code, reason = "the command uses all of it")]
#[path = "../../cargo-lockutils/src/lock_scan/files.rs"]
mod files;

fuzz_target!(|text: &str| {
    oslo_concurrency::properties::proc_files(text);
    lockutils_harness::procfs::properties::proc_files(text);
    files::lock_of_turnstile(text.as_ref());
});
