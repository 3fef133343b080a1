//! Pauses between two checks of the workers.

use std::time::Duration;

/// The first pause.
pub const SHORTEST: Duration = Duration::from_micros(50);
/// The longest pause. A signal ends a pause, but another thread of the process may receive it.
const LONGEST: Duration = Duration::from_millis(1);

/// Pauses of growing length.
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
