//! The conclusion of a check: held, violated, or not known.

use std::fmt;

/// The conclusion of a check.
///
/// *Not known* is never shown as a pass and always has a reason. There are these three conclusions
/// and no others, so the enum is exhaustive.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Finding {
    /// No violation was found.
    Held,
    /// The promise was broken. The text is the evidence.
    Violated(String),
    /// The check could not conclude, for this reason.
    NotKnown(Unknown),
}

/// The reason why a check could not conclude.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Unknown {
    /// Time or space ran out before the check was complete.
    Budget(String),
    /// The lock, the kernel or the file system does not offer what the check needs.
    Unsupported(String),
    /// The lock does not promise this, so it was not tried.
    NotPromised,
    /// No section was entered, so nothing was tried.
    NothingRan,
}

impl Finding {
    /// [`Finding::Held`] if anything was checked, else *nothing ran*.
    pub(crate) fn held_if(anything: bool) -> Self {
        if anything {
            Finding::Held
        } else {
            Finding::NotKnown(Unknown::NothingRan)
        }
    }

    /// *Not known*, since what the check needs is not offered.
    pub(crate) fn unsupported(what: impl Into<String>) -> Self {
        Finding::NotKnown(Unknown::Unsupported(what.into()))
    }

    /// Returns `true` if no violation was found, and `false` for *not known*.
    pub fn is_held(&self) -> bool {
        matches!(self, Finding::Held)
    }

    /// Returns `true` if the promise was broken, and `false` for *not known*.
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
