//! Pauses between two looks at the workers.

use std::time::Duration;

/// The first pause.
pub const SHORTEST: Duration = Duration::from_micros(50);
/// The longest one. A signal ends a pause, but other threads of the process may take it.
const LONGEST: Duration = Duration::from_millis(1);

/// Pauses that become longer and longer.
#[derive(Debug)]
pub struct Backoff(Duration);

impl Backoff {
    pub fn new() -> Self {
        Backoff(SHORTEST)
    }

    pub fn next(&mut self) -> Duration {
        let now = self.0;
        self.0 = (2 * now).min(LONGEST);
        now
    }
}
