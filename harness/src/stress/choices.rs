//! Random choices of the load: how a slot asks for the lock, and what happens in its section.

use std::time::Duration;

use crate::model::{Capabilities, Capability, FaultKind, Random, Scenario, Verb};

/// The verb with which a slot asks for the lock.
pub(super) fn ask(can: &Capabilities, random: &mut Random) -> Verb {
    if can.has(Capability::Shared) && random.once_in(3) {
        return match random.once_in(4) && !can.has(Capability::NoTry) {
            true => Verb::TryRead,
            false => Verb::Read,
        };
    }
    if can.has(Capability::Timeout) && random.once_in(8) {
        return Verb::AcquireTimeout(1 + random.below(20));
    }
    match random.once_in(8) && !can.has(Capability::NoTry) {
        true => Verb::Try,
        false => Verb::Acquire,
    }
}

/// What happens while a slot is in the section. `spare` says whether a worker could take the place of one that dies.
pub(super) fn in_section(
    scenario: Scenario,
    plan: &Pauses,
    spare: bool,
    random: &mut Random,
) -> Option<FaultKind> {
    match scenario {
        Scenario::Die if spare && random.once_in(2) => Some(match random.once_in(3) {
            true => FaultKind::KillReleasing(Duration::from_micros(random.below(300))),
            false => FaultKind::Kill,
        }),
        Scenario::Pause => plan.next(random).map(FaultKind::Pause),
        Scenario::Unlink if random.once_in(3) => Some(FaultKind::Unlink),
        Scenario::Fork if random.once_in(3) => Some(FaultKind::Tell(
            random.choose(&[Verb::ForkRelease, Verb::ForkExit]),
        )),
        Scenario::Reopen if random.once_in(3) => Some(FaultKind::Tell(Verb::Reopen)),
        Scenario::WrapperKill if random.once_in(3) => Some(FaultKind::Tell(Verb::KillWrapper)),
        Scenario::Respawn if spare && random.once_in(2) => Some(FaultKind::Leave),
        Scenario::Remove if random.once_in(20) => Some(FaultKind::Remove),
        _ => None,
    }
}

/// For how long holders are stopped: mostly for less than any lease, sometimes for longer than a short one.
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

    /// The longest.
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
