//! The scenarios in which `stress` and `explore` try a lock.

use std::fmt;

use serde::de::Error;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use super::Capability;

/// A way to try a lock.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Scenario {
    /// Processes compete.
    Contend,
    /// Threads of one process compete.
    Threads,
    /// The holder is killed (SIGKILL).
    Die,
    /// A worker is killed (SIGKILL) at any step, in acquire and release too.
    Crash,
    /// The lease of a worker on a server runs out at any step.
    Expire,
    /// A worker exits after its release, and another starts.
    Respawn,
    /// The library's own removal of the lock.
    Remove,
    /// The holder is stopped (SIGSTOP) and continued later.
    Pause,
    /// Another process deletes the files of the lock while it is held.
    Unlink,
    /// A child that was forked in the section releases the lock, or exits.
    Fork,
    /// The holder opens and closes the lock file once more.
    Reopen,
    /// Only the wrapper is killed; the command that it runs continues.
    WrapperKill,
}

/// The obligation of a lock in a scenario.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Role {
    /// Every lock promises to survive it, so it decides the exit status.
    Promise,
    /// Good locks need not survive it: it counts only on request.
    Hazard,
}

/// The columns of [`Scenario::row`].
struct Row {
    /// The word on the command line, in JSON and in configurations.
    word: &'static str,
    role: Role,
    /// The capability that a worker needs to take part.
    needs: Option<Capability>,
    /// Description under `stress`, if it supports the scenario.
    stress: Option<&'static str>,
    /// Share of the whole time of `stress`, compared with other scenarios.
    weight: u32,
    /// Description under `explore`, if it supports the scenario.
    explore: Option<&'static str>,
}

impl Scenario {
    /// All scenarios, in the order of the report.
    pub const ALL: [Scenario; 12] = [
        Scenario::Contend,
        Scenario::Threads,
        Scenario::Die,
        Scenario::Crash,
        Scenario::Expire,
        Scenario::Respawn,
        Scenario::Remove,
        Scenario::Pause,
        Scenario::Unlink,
        Scenario::Fork,
        Scenario::Reopen,
        Scenario::WrapperKill,
    ];

    /// The table of scenarios.
    fn row(self) -> Row {
        use Capability::{Fork, Remove, Reopen, Threads, Wrapper};
        use Role::{Hazard, Promise};

        let row = |word, role, needs, stress, weight, explore| Row {
            word,
            role,
            needs,
            stress,
            weight,
            explore,
        };
        match self {
            Scenario::Contend => row(
                "contend",
                Promise,
                None,
                Some("processes compete"),
                4,
                Some("all acquire and release"),
            ),
            Scenario::Threads => row(
                "threads",
                Promise,
                Some(Threads),
                Some("threads of one process compete"),
                2,
                None,
            ),
            Scenario::Die => row(
                "die",
                Promise,
                None,
                Some("holders are killed (SIGKILL)"),
                4,
                Some("one died in the section an hour ago; all others acquire and release"),
            ),
            Scenario::Crash => row(
                "crash",
                Promise,
                None,
                None,
                0,
                Some("all acquire and release, and one is killed at any step (SIGKILL)"),
            ),
            Scenario::Expire => row(
                "expire",
                Promise,
                None,
                None,
                0,
                Some("all acquire and release, and the lease of one runs out at any step"),
            ),
            Scenario::Respawn => row(
                "respawn",
                Promise,
                None,
                Some("workers exit after release, and new ones start"),
                2,
                Some("all acquire, release and exit; then new workers do the same"),
            ),
            Scenario::Remove => row(
                "remove",
                Promise,
                Some(Remove),
                Some("the library's own removal of the lock runs"),
                2,
                Some("all acquire, release, and run the library's own removal of the lock"),
            ),
            Scenario::Pause => row(
                "pause",
                Hazard,
                None,
                Some("holders are stopped for a while (SIGSTOP)"),
                3,
                None,
            ),
            Scenario::Unlink => row(
                "unlink",
                Hazard,
                None,
                Some("another program deletes the lock's files"),
                1,
                Some("all acquire and release while another program deletes the lock's files"),
            ),
            Scenario::Fork => row(
                "fork",
                Hazard,
                Some(Fork),
                Some("a child forked in the section releases the lock or exits"),
                1,
                None,
            ),
            Scenario::Reopen => row(
                "reopen",
                Hazard,
                Some(Reopen),
                Some("the holder opens and closes the lock file"),
                1,
                None,
            ),
            Scenario::WrapperKill => row(
                "wrapper-kill",
                Hazard,
                Some(Wrapper),
                Some("only the wrapper is killed, and its command goes on"),
                1,
                Some(
                    "all acquire and release; one wrapper is killed at any step, and its command goes on",
                ),
            ),
        }
    }

    /// The scenarios that `stress` supports, in the order of the report.
    pub fn stressable() -> impl Iterator<Item = Scenario> {
        Scenario::ALL
            .into_iter()
            .filter(|scenario| scenario.row().stress.is_some())
    }

    /// The scenarios that `explore` supports, in the order of the report.
    pub fn explorable() -> impl Iterator<Item = Scenario> {
        Scenario::ALL
            .into_iter()
            .filter(|scenario| scenario.row().explore.is_some())
    }

    /// Its name on the command line.
    pub fn word(self) -> &'static str {
        self.row().word
    }

    /// Description under `stress`, for a reader who has never seen the word; that under `explore` if
    /// `stress` does not support the scenario.
    pub fn meaning(self) -> &'static str {
        let row = self.row();
        row.stress.or(row.explore).unwrap_or(row.word)
    }

    /// Description under `explore`; `None` if it does not support the scenario.
    pub fn explored(self) -> Option<&'static str> {
        self.row().explore
    }

    /// The obligation of a lock in it.
    pub fn role(self) -> Role {
        self.row().role
    }

    /// The capability that a worker needs to take part.
    pub fn needs(self) -> Option<Capability> {
        self.row().needs
    }

    /// Share of the whole time of `stress`, compared with other scenarios.
    pub fn weight(self) -> u32 {
        self.row().weight
    }
}

impl fmt::Display for Scenario {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.word())
    }
}

impl Serialize for Scenario {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.word())
    }
}

impl<'de> Deserialize<'de> for Scenario {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let word = String::deserialize(deserializer)?;
        let known = Scenario::ALL.into_iter().find(|known| known.word() == word);
        known.ok_or_else(|| D::Error::custom(format_args!("unknown scenario `{word}`")))
    }
}
