//! What a test needs: `use lockutils_harness::prelude::*;`

#[cfg(feature = "rstest")]
pub use crate::fixtures::{HeldLock, LockPath, held_lock, lock_path, stress};
#[cfg(feature = "proptest")]
pub use crate::programs::{Program, Step, programs};
pub use crate::stress::{Fault, Report, Stress, Worker};
pub use crate::verdict::Verdict;
