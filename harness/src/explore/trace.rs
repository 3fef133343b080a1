//! What a schedule was, and came to.

use std::time::Duration;

use crate::model::Verdict;

use super::schedule::Step;

/// How a schedule ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum End {
    /// Everybody was in the section, one after the other.
    Clean,
    /// Two were in at once.
    Overlap {
        /// Who was in.
        first: usize,
        /// Who came in as well.
        second: usize,
    },
    /// Two were in at once, but the first may have outlived its lease, in real time.
    LeaseExpired,
    /// Nobody can go on, or nobody gets any further.
    Stuck(String),
    /// All who wait look again and again, and time does not pass for them as it does outside: whether they would ever get it is not known,
    /// unless somebody got it in real time, so long after a holder's death.
    Polls(Option<Duration>),
    /// A worker ended by itself, or hangs.
    Failed(String),
    /// What would have come was tried before, in another order.
    Known,
    /// Somebody wants us to stop.
    Interrupted,
}

impl End {
    /// What one schedule with this end says of the lock.
    pub fn verdict(&self) -> Verdict {
        match self {
            End::Overlap { .. } => Verdict::Broken,
            End::Stuck(_) => Verdict::Stuck,
            End::Clean | End::LeaseExpired | End::Polls(Some(_)) | End::Known => Verdict::Held,
            End::Polls(None) | End::Failed(_) | End::Interrupted => Verdict::NotKnown,
        }
    }
}

/// What a schedule was and came to.
#[derive(Clone, Debug)]
pub struct Trace {
    /// What was done.
    pub(super) steps: Vec<Step>,
    /// What it came to.
    pub end: End,
    /// What the library failed with.
    pub errors: Vec<String>,
}

impl Trace {
    /// Whether nobody got the lock in real time either.
    pub fn looked_in_real_time(&self) -> bool {
        matches!(&self.end, End::Stuck(why) if why.ends_with(super::run::EITHER))
    }

    /// Who took each step.
    pub fn choices(&self) -> Vec<usize> {
        self.steps.iter().map(|step| step.actor).collect()
    }
}
