//! Random choices of the load: the verb of a request, and the fault in a critical section.

use std::time::Duration;

use crate::model::{Capabilities, Capability, FaultKind, Random, Scenario, Verb};

/// The verb with which a slot requests the lock.
pub(super) fn request_verb(capabilities: &Capabilities, random: &mut Random) -> Verb {
    if capabilities.has(Capability::Shared) && random.once_in(3) {
        return match random.once_in(4) && !capabilities.has(Capability::NoTry) {
            true => Verb::TryRead,
            false => Verb::Read,
        };
    }
    if capabilities.has(Capability::Timeout) && random.once_in(8) {
        return Verb::AcquireTimeout(1 + random.below(20));
    }
    match random.once_in(8) && !capabilities.has(Capability::NoTry) {
        true => Verb::Try,
        false => Verb::Acquire,
    }
}

/// The fault for a slot that has just acquired the lock. `spare` is `true` if another worker can
/// replace one that dies.
pub(super) fn in_section(
    scenario: Scenario,
    pauses: &Pauses,
    spare: bool,
    random: &mut Random,
) -> Option<FaultKind> {
    match scenario {
        Scenario::Die if spare && random.once_in(2) => Some(match random.once_in(3) {
            true => FaultKind::KillReleasing(Duration::from_micros(random.below(300))),
            false => FaultKind::Kill,
        }),
        Scenario::Pause => pauses.next(random).map(FaultKind::Pause),
        Scenario::Unlink if random.once_in(3) => Some(FaultKind::Unlink),
        Scenario::Fork if random.once_in(3) => Some(FaultKind::Perform(
            random.choose(&[Verb::ForkRelease, Verb::ForkExit]),
        )),
        Scenario::Reopen if random.once_in(3) => Some(FaultKind::Perform(Verb::Reopen)),
        Scenario::WrapperKill if random.once_in(3) => Some(FaultKind::Perform(Verb::KillWrapper)),
        Scenario::Respawn if spare && random.once_in(2) => Some(FaultKind::Leave),
        Scenario::Remove if random.once_in(20) => Some(FaultKind::Remove),
        _ => None,
    }
}

/// Durations for which holders are stopped: mostly shorter than any lease, sometimes longer than a
/// short one.
#[derive(Clone, Copy, Debug)]
pub struct Pauses {
    short: Duration,
    long: Duration,
}

impl Pauses {
    pub fn new(lease: Option<Duration>) -> Self {
        match lease {
            Some(lease) => Pauses {
                short: lease / 4,
                long: lease * 3 / 2,
            },
            None => Pauses {
                short: Duration::from_millis(60),
                long: Duration::from_millis(2200),
            },
        }
    }

    /// The longest pause.
    pub fn long(&self) -> Duration {
        self.long
    }

    fn next(&self, random: &mut Random) -> Option<Duration> {
        match random.below(24) {
            0..2 => Some(self.long),
            2..8 => Some(self.short),
            _ => None,
        }
    }
}
