//! Files of `cargo lockutils explore --save`.
#![no_main]

use libfuzzer_sys::fuzz_target;
use lockutils_harness::properties;

fuzz_target!(|text: &str| {
    properties::counterexample(text);
    properties::counterexample(&format!("lockutils counterexample 1\n{text}"));
});
