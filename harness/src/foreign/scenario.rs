//! What befalls the lock and its users, one thing in each scenario.

use std::fmt;
use std::time::Duration;

use super::protocol::{Capabilities, Capability, Verb};
use crate::random::Random;

/// A way to try a lock.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Scenario {
    /// Processes compete.
    Contend,
    /// Threads of one process compete.
    Threads,
    /// The holder is killed (SIGKILL).
    Die,
    /// A worker exits after it released, and another starts.
    Respawn,
    /// The library's own removal of the lock.
    Remove,
    /// The holder is stopped (SIGSTOP), and continued later.
    Pause,
    /// Somebody deletes the files of the lock while it is held.
    Unlink,
    /// A child that was forked in the section releases the lock, or exits.
    Fork,
    /// The holder opens and closes the lock file once more.
    Reopen,
    /// Only the wrapper is killed, and the command that it runs goes on.
    WrapperKill,
}

/// Whether a lock has to survive it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Role {
    /// Every lock promises it: it decides the exit status.
    Promise,
    /// Many a good lock does not claim it: it counts only when it is asked for.
    Hazard,
}

/// Something that is done to a holder, or by it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Act {
    /// It is killed in the section.
    Kill,
    /// It is killed so long after its release was written.
    KillReleasing(Duration),
    /// It is stopped for so long.
    Pause(Duration),
    /// The files of the lock are deleted.
    Unlink,
    /// It is told to do this before it goes on.
    Tell(Verb),
    /// It leaves after the release.
    Leave,
    /// It removes the lock after the release.
    Remove,
}

impl Scenario {
    /// All of them, in the order of the card.
    pub const ALL: [Scenario; 10] = [
        Scenario::Contend,
        Scenario::Threads,
        Scenario::Die,
        Scenario::Respawn,
        Scenario::Remove,
        Scenario::Pause,
        Scenario::Unlink,
        Scenario::Fork,
        Scenario::Reopen,
        Scenario::WrapperKill,
    ];

    /// As it is named on the command line.
    pub fn word(self) -> &'static str {
        match self {
            Scenario::Contend => "contend",
            Scenario::Threads => "threads",
            Scenario::Die => "die",
            Scenario::Respawn => "respawn",
            Scenario::Remove => "remove",
            Scenario::Pause => "pause",
            Scenario::Unlink => "unlink",
            Scenario::Fork => "fork",
            Scenario::Reopen => "reopen",
            Scenario::WrapperKill => "wrapper-kill",
        }
    }

    /// What happens in it, for somebody who has never seen the word.
    pub fn meaning(self) -> &'static str {
        match self {
            Scenario::Contend => "processes compete",
            Scenario::Threads => "threads of one process compete",
            Scenario::Die => "holders are killed (SIGKILL)",
            Scenario::Respawn => "workers exit after release, others start",
            Scenario::Remove => "the library's own removal of the lock",
            Scenario::Pause => "holders are stopped for a while (SIGSTOP)",
            Scenario::Unlink => "somebody deletes the files of the lock",
            Scenario::Fork => "a child forked in the section releases or exits",
            Scenario::Reopen => "the holder opens and closes the lock file",
            Scenario::WrapperKill => "only the wrapper is killed, its command goes on",
        }
    }

    /// Whether a lock has to survive it.
    pub fn role(self) -> Role {
        match self {
            Scenario::Contend
            | Scenario::Threads
            | Scenario::Die
            | Scenario::Respawn
            | Scenario::Remove => Role::Promise,
            _ => Role::Hazard,
        }
    }

    /// What a worker must be able to do to take part.
    pub fn needs(self) -> Option<Capability> {
        match self {
            Scenario::Threads => Some(Capability::Threads),
            Scenario::Remove => Some(Capability::Remove),
            Scenario::Fork => Some(Capability::Fork),
            Scenario::Reopen => Some(Capability::Reopen),
            Scenario::WrapperKill => Some(Capability::Wrapper),
            _ => None,
        }
    }

    /// Its share of the whole time, compared with the others'.
    pub fn weight(self) -> u32 {
        match self {
            Scenario::Contend | Scenario::Die => 4,
            Scenario::Pause => 3,
            Scenario::Threads | Scenario::Respawn | Scenario::Remove => 2,
            _ => 1,
        }
    }

    /// The verb with which a slot asks for the lock.
    pub(super) fn ask(self, can: &Capabilities, random: &mut Random) -> Verb {
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
    pub(super) fn in_section(self, plan: &Pauses, spare: bool, random: &mut Random) -> Option<Act> {
        match self {
            Scenario::Die if spare && random.once_in(2) => Some(match random.once_in(3) {
                true => Act::KillReleasing(Duration::from_micros(random.below(300))),
                false => Act::Kill,
            }),
            Scenario::Pause => plan.next(random).map(Act::Pause),
            Scenario::Unlink if random.once_in(3) => Some(Act::Unlink),
            Scenario::Fork if random.once_in(3) => Some(Act::Tell(
                random.choose(&[Verb::ForkRelease, Verb::ForkExit]),
            )),
            Scenario::Reopen if random.once_in(3) => Some(Act::Tell(Verb::Reopen)),
            Scenario::WrapperKill if random.once_in(3) => Some(Act::Tell(Verb::KillWrapper)),
            Scenario::Respawn if spare && random.once_in(2) => Some(Act::Leave),
            Scenario::Remove if random.once_in(20) => Some(Act::Remove),
            _ => None,
        }
    }
}

impl fmt::Display for Scenario {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.word())
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
