//! Whether a history is one that a correct lock can have.
//!
//! Each check looks at the merged history once, so the time is linear in the events.

mod exclusion;
mod fifo;
mod lone_refusal;
mod progress;
mod refusals;
mod starvation;
mod status;
mod story;
mod timeouts;
mod workers;

pub(crate) use starvation::{longest_wait, starved};
pub(crate) use status::Status;

use std::time::Duration;

use crate::testing::finding::{Finding, Unknown};
use crate::testing::history::Event;

/// What a lock promises, and by how much a loaded machine may delay it.
#[derive(Clone, Debug)]
pub struct Promises {
    /// How many may hold it exclusively: 1 for a lock, the number of permits for a semaphore.
    pub permits: usize,
    /// First come, first served: nobody who asked later by more than this acquires first. `None` promises nothing.
    pub fifo: Option<Duration>,
    /// A timeout comes back no earlier than this before its deadline: what the clock of a lock may be coarser than ours.
    pub earliness: Duration,
    /// A timeout comes back no later than this after its deadline. `None` promises nothing.
    pub lateness: Option<Duration>,
    /// A free lock is taken by one of its waiters within this. `None` promises nothing.
    pub handover: Option<Duration>,
}

impl Default for Promises {
    fn default() -> Self {
        Promises {
            permits: 1,
            fifo: None,
            earliness: Duration::ZERO,
            lateness: None,
            handover: None,
        }
    }
}

/// The verdict of each check; what was not promised is not known.
#[derive(Clone, Debug)]
pub struct Findings {
    /// Never more holders than allowed, never a writer beside a reader.
    pub exclusion: Finding,
    /// A try or a timed wait fails only while somebody may hold the lock.
    pub refusals: Finding,
    /// Timed waits end neither early nor late.
    pub timeouts: Finding,
    /// First come, first served.
    pub fifo: Finding,
    /// Nobody waits while the lock is free.
    pub progress: Finding,
}

impl Findings {
    /// All checks by name.
    pub fn all(&self) -> [(&'static str, &Finding); 5] {
        [
            ("exclusion", &self.exclusion),
            ("refusals", &self.refusals),
            ("timeouts", &self.timeouts),
            ("fifo", &self.fifo),
            ("progress", &self.progress),
        ]
    }
}

/// Checks a merged history.
///
/// ```
/// use lockutils_harness::testing::checker::{Promises, check};
/// use lockutils_harness::testing::history::{Event, EventKind, Mode, WaitLimit};
///
/// let asked = EventKind::Requested { mode: Mode::Exclusive, limit: WaitLimit::Forever };
/// let history: Vec<Event> = [(0, asked), (1, asked), (0, EventKind::Acquired), (1, EventKind::Acquired), (0, EventKind::Releasing)]
///     .into_iter()
///     .zip(0..)
///     .map(|((worker, kind), time)| Event { time, worker, kind })
///     .collect();
/// assert!(check(&history, &Promises::default()).exclusion.is_violated());
/// ```
pub fn check(history: &[Event], promises: &Promises) -> Findings {
    let promised = |promise: Option<Duration>, check: &dyn Fn(u64) -> Finding| match promise {
        Some(bound) => check(bound.as_nanos().try_into().unwrap_or(u64::MAX)),
        None => Finding::NotKnown(Unknown::NotPromised),
    };
    Findings {
        exclusion: exclusion::check(history, promises.permits),
        refusals: refusals::check(history, promises.permits),
        timeouts: timeouts::check(history, promises.earliness, promises.lateness),
        fifo: promised(promises.fifo, &|slack| fifo::check(history, slack)),
        progress: promised(promises.handover, &|bound| progress::check(history, bound)),
    }
}

/// Evidence of the first refusal while no other worker used the lock.
///
/// Unlike [`Findings::refusals`] it allows what no lock promises: that failing attempts exclude each
/// other for a moment.
pub fn lone_refusal(history: &[Event]) -> Option<String> {
    lone_refusal::check(history)
}

/// What happened up to the end of a history, for a report.
pub(crate) fn last_of(history: &[Event]) -> String {
    let end = history.len();
    story::of(history, end.saturating_sub(8), end)
}
