//! Capabilities of workers.

use std::collections::BTreeSet;
use std::fmt;

/// A capability beyond `acquire`, `try` and `release`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Capability {
    /// Its slots are threads.
    Threads,
    /// `acquire-timeout`.
    Timeout,
    /// `read` and `try-read`.
    Shared,
    /// `remove`.
    Remove,
    /// `fork-release` and `fork-exit`.
    Fork,
    /// `reopen`.
    Reopen,
    /// `kill-wrapper`.
    Wrapper,
    /// No `try`.
    NoTry,
    /// A fresh process for each schedule, by fork.
    Zygote,
}

impl Capability {
    /// All capabilities.
    pub const ALL: [Capability; 9] = [
        Capability::Threads,
        Capability::Timeout,
        Capability::Shared,
        Capability::Remove,
        Capability::Fork,
        Capability::Reopen,
        Capability::Wrapper,
        Capability::NoTry,
        Capability::Zygote,
    ];

    /// The word on the line `ready`.
    pub fn word(self) -> &'static str {
        match self {
            Capability::Threads => "threads",
            Capability::Timeout => "timeout",
            Capability::Shared => "shared",
            Capability::Remove => "remove",
            Capability::Fork => "fork",
            Capability::Reopen => "reopen",
            Capability::Wrapper => "wrapper",
            Capability::NoTry => "no-try",
            Capability::Zygote => "zygote",
        }
    }
}

/// The capabilities of one worker.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Capabilities(BTreeSet<Capability>);

impl Capabilities {
    /// Returns `true` if the worker has this capability.
    pub fn has(&self, capability: Capability) -> bool {
        self.0.contains(&capability)
    }

    /// Their words, in the order of the line `ready`.
    pub fn words(&self) -> Vec<&'static str> {
        self.0.iter().map(|capability| capability.word()).collect()
    }
}

impl FromIterator<Capability> for Capabilities {
    fn from_iter<I: IntoIterator<Item = Capability>>(all: I) -> Self {
        Capabilities(all.into_iter().collect())
    }
}

impl fmt::Display for Capabilities {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("ready")?;
        self.0
            .iter()
            .try_for_each(|capability| write!(f, " {}", capability.word()))
    }
}
