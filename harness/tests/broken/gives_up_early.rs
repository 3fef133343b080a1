//! Bug: a timed wait ends after half of its time.

use std::error::Error;
use std::path::Path;

use lockutils_harness::testing::conformance::{Answer, Guarantee, Lock, Oslo, WaitLimit};

pub const FOUND_BY: Guarantee = Guarantee::Timeout;

pub struct Impatient(Oslo);

pub fn make(directory: &Path) -> Impatient {
    Impatient(Oslo::new(directory))
}

impl Lock for Impatient {
    fn run(&self, limit: WaitLimit, section: &mut dyn FnMut()) -> Result<Answer, Box<dyn Error>> {
        let limit = match limit {
            WaitLimit::AtMost(time) => WaitLimit::AtMost(time / 2),
            other => other,
        };
        self.0.run(limit, section)
    }
}
