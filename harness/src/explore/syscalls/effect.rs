//! The effect of a system call on a lock, for scheduling.

/// The effect of a system call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Effect {
    /// Removes or moves a name, or takes a kernel lock.
    Claim,
    /// Creates a name, or changes a file.
    Modify,
    /// Releases a kernel lock, or may do so.
    Release,
    /// Changes nothing.
    Observe,
    /// Waits for time to pass.
    Sleep,
}

impl Effect {
    /// Returns `true` if the call may change what other workers observe.
    pub fn changes(self) -> bool {
        !matches!(self, Effect::Observe | Effect::Sleep)
    }

    /// The rank of a delay before the call; the lowest rank is tried first. A delay before a claim
    /// finds most races (measured with the locks of `tests/`, bin `zoo`).
    pub fn priority(self) -> u32 {
        match self {
            Effect::Claim => 0,
            Effect::Modify => 1,
            Effect::Release => 2,
            Effect::Observe => 3,
            Effect::Sleep => 6,
        }
    }
}
