//! Our own locks keep every guarantee, and locks broken on purpose are found out.

mod broken;

use lockutils_harness::conformance::Oslo;
use lockutils_harness::lock_conformance;

lock_conformance!(external, |directory: &std::path::Path| Oslo::new(directory));
lock_conformance!(fair, |directory: &std::path::Path| Oslo::fair(directory));
