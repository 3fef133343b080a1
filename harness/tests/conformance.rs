//! Our own locks keep every guarantee, locks of other making keep what they promise, and locks broken on purpose are found out.

mod broken;
mod correct;

use lockutils_harness::lock_conformance;
use lockutils_harness::testing::conformance::Oslo;

lock_conformance!(external, |directory: &std::path::Path| Oslo::new(directory), not_promised: [fairness]);
lock_conformance!(fair, |directory: &std::path::Path| Oslo::fair(directory));
