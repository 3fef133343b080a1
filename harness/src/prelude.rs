//! The names that most tests need: `use lockutils_harness::prelude::*;`.

pub use crate::testing::finding::Finding;
#[cfg(feature = "rstest")]
pub use crate::testing::fixtures::{HeldLock, LockPath, held_lock, lock_path, stress};
#[cfg(feature = "proptest")]
pub use crate::testing::programs::{Program, Step, programs};
pub use crate::testing::stress::{Fault, Stress, StressReport, Worker};
