//! Bug: a timed wait is over after half of its time.

use std::error::Error;
use std::path::Path;

use lockutils_harness::testing::conformance::{Answer, Guarantee, Lock, Oslo, Patience};

pub const FOUND_BY: Guarantee = Guarantee::Timeout;

pub struct Impatient(Oslo);

pub fn make(directory: &Path) -> Impatient {
    Impatient(Oslo::new(directory))
}

impl Lock for Impatient {
    fn run(&self, patience: Patience, section: &mut dyn FnMut()) -> Result<Answer, Box<dyn Error>> {
        let patience = match patience {
            Patience::AtMost(time) => Patience::AtMost(time / 2),
            other => other,
        };
        self.0.run(patience, section)
    }
}
