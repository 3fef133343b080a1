//! Lines of workers.
#![no_main]

use libfuzzer_sys::fuzz_target;
use lockutils_harness::properties;

fuzz_target!(|text: &str| {
    properties::protocol(text);
    properties::answer(3, text);
});
