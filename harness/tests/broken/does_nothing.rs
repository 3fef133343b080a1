//! Bug: it does not lock.

use std::error::Error;
use std::path::Path;

use lockutils_harness::testing::conformance::{Answer, Guarantee, Lock, WaitLimit};

pub const FOUND_BY: Guarantee = Guarantee::Processes;

pub struct DoesNothing;

pub fn make(_: &Path) -> DoesNothing {
    DoesNothing
}

impl Lock for DoesNothing {
    fn run(&self, _: WaitLimit, section: &mut dyn FnMut()) -> Result<Answer, Box<dyn Error>> {
        section();
        Ok(Answer::Ran)
    }
}
