//! Checks whether a correct lock can have a history; for the harness and the tests of this
//! workspace.
//!
//! Each check passes once over the merged history, in time linear in the number of events.

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

/// The promises of a lock, and the tolerated delays of a loaded machine.
#[derive(Clone, Debug)]
pub struct Promises {
    /// Maximum number of exclusive holders: 1 for a lock, the number of permits of a semaphore.
    pub permits: usize,
    /// First come, first served: no worker that requested the lock later by more than this acquires
    /// it first. `None` promises nothing.
    pub fifo: Option<Duration>,
    /// Time by which a timed wait may end early, since the clock of a lock may be coarser than
    /// ours.
    pub earliness: Duration,
    /// Time by which a timed wait may end late. `None` promises nothing.
    pub lateness: Option<Duration>,
    /// Time for which the lock may be free while a worker waits. `None` promises nothing.
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

/// The finding of each check. A promise that was not made is *not known*.
#[derive(Clone, Debug)]
pub struct Findings {
    /// Never more holders than allowed, and never a writer beside a reader.
    pub exclusion: Finding,
    /// A try-acquire or a timed wait fails only while another worker may hold the lock.
    pub refusals: Finding,
    /// Timed waits end neither early nor late.
    pub timeouts: Finding,
    /// First come, first served.
    pub fifo: Finding,
    /// No worker waits while the lock is free.
    pub progress: Finding,
}

/// Checks a merged history.
///
/// ```
/// use lockutils_harness::testing::checker::{Promises, check};
/// use lockutils_harness::testing::conformance::WaitLimit;
/// use lockutils_harness::testing::history::{Event, EventKind, Mode};
///
/// let requested = EventKind::Requested { mode: Mode::Exclusive, limit: WaitLimit::Forever };
/// let events = [
///     (0, requested),
///     (1, requested),
///     (0, EventKind::Acquired),
///     (1, EventKind::Acquired),
///     (0, EventKind::Releasing),
/// ];
/// let event = |(time, (worker, kind))| Event { time, worker, kind };
/// let history: Vec<Event> = (0..).zip(events).map(event).collect();
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
/// Unlike [`Findings::refusals`], it tolerates that failing attempts exclude each other for a
/// moment, which every lock may do.
pub fn lone_refusal(history: &[Event]) -> Option<String> {
    lone_refusal::check(history)
}

/// The last events of a history, for a report.
pub(crate) fn last_of(history: &[Event]) -> String {
    let end = history.len();
    story::of(history, end.saturating_sub(8), end)
}
