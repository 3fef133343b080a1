//! Configuration files of services.
#![no_main]

use libfuzzer_sys::fuzz_target;
use oslo_concurrency::properties;

fuzz_target!(|text: &str| properties::ini(text));
