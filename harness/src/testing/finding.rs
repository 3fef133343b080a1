//! What a check may conclude. The word is used in every part of the harness and never softened on the way.

use std::fmt;

/// The outcome of one check.
///
/// *Not known* is never shown as a pass: it carries the reason why nothing can be said.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Finding {
    /// The promise was kept for all that was tried.
    Held,
    /// The promise was broken; the evidence, in a sentence or more.
    Violated(String),
    /// Nothing can be said.
    NotKnown(Unknown),
}

/// Why nothing can be said.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Unknown {
    /// Time or schedules ran out before the check was done.
    Budget(String),
    /// The lock, the kernel or the file system does not offer what the check needs.
    Unsupported(String),
    /// The lock does not promise this.
    NotPromised,
    /// No section was entered, so nothing was tried.
    NothingRan,
}

impl Finding {
    /// [`Finding::Held`] if anything was checked, and else *nothing ran*.
    pub(crate) fn held_if(anything: bool) -> Self {
        if anything {
            Finding::Held
        } else {
            Finding::NotKnown(Unknown::NothingRan)
        }
    }

    /// Nothing can be said, since what the check needs is not offered.
    pub(crate) fn unsupported(what: impl Into<String>) -> Self {
        Finding::NotKnown(Unknown::Unsupported(what.into()))
    }

    /// Whether the promise was kept. False for what is not known.
    pub fn is_held(&self) -> bool {
        matches!(self, Finding::Held)
    }

    /// Whether the promise was broken. False for what is not known.
    pub fn is_violated(&self) -> bool {
        matches!(self, Finding::Violated(_))
    }
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Finding::Held => f.write_str("held"),
            Finding::Violated(evidence) => write!(f, "violated: {evidence}"),
            Finding::NotKnown(why) => write!(f, "not known: {why}"),
        }
    }
}

impl fmt::Display for Unknown {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Unknown::Budget(what) => write!(f, "the budget ran out ({what})"),
            Unknown::Unsupported(what) => write!(f, "unsupported ({what})"),
            Unknown::NotPromised => f.write_str("not promised by this lock"),
            Unknown::NothingRan => f.write_str("nothing ran"),
        }
    }
}
