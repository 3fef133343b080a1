//! Text that contains secrets.
#![no_main]

use libfuzzer_sys::fuzz_target;
use oslo_concurrency::properties;

fuzz_target!(|data: &[u8]| {
    properties::mask(data);
    if let [form, around @ ..] = data {
        let (before, after) = around.split_at(around.len() / 2);
        properties::mask_named(*form, before, after);
    }
});
