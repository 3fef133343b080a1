//! Warnings about actions that take long: the Rust form of `oslo_concurrency.watchdog`.
//!
//! ```
//! use oslo_concurrency::watchdog;
//! use std::time::Duration;
//!
//! let copied = watchdog::watch("copying image 7")
//!     .level(tracing::Level::WARN)
//!     .after(Duration::from_secs(30))
//!     .run(|| 42); // after 30 s: WARN copying image 7 not completed after 30.000s
//! assert_eq!(copied, 42);
//! ```
//!
//! Waits for locks are watched by default: see
//! [`LockOptions::warn_after`](crate::lockutils::LockOptions::warn_after).

mod events;

use std::borrow::Cow;
use std::time::Duration;

use tracing::Level;
use tracing::level_filters::LevelFilter;

use crate::alarms::Alarm;

pub(crate) use events::{Subscriber, call_after};

/// The time after which oslo's watchdog warns.
const AFTER: Duration = Duration::from_secs(5);

/// Watches `action`, which the event names. Set [`level`](Options::level) and
/// [`after`](Options::after), then [`start`](Options::start) or [`run`](Options::run).
pub fn watch(action: impl Into<Cow<'static, str>>) -> Options {
    Options {
        action: action.into(),
        level: Level::DEBUG,
        after: AFTER,
    }
}

/// Options for watching an action; created by [`watch`].
#[derive(Clone, Debug)]
#[must_use = "nothing is watched before `start` or `run`"]
pub struct Options {
    action: Cow<'static, str>,
    level: Level,
    after: Duration,
}

impl Options {
    /// The level of the event. The default is `DEBUG`, as in oslo.
    pub fn level(mut self, level: Level) -> Self {
        self.level = level;
        self
    }

    /// Time that the action may take. The default is 5 seconds, as in oslo.
    pub fn after(mut self, after: Duration) -> Self {
        self.after = after;
        self
    }

    /// Watches until the guard is dropped.
    ///
    /// If that takes longer than [`after`](Self::after), one event is sent, with the fields
    /// `action` and `elapsed_seconds`. It goes to the subscriber of this thread and belongs to the
    /// span that is current now.
    ///
    /// Dropping the guard never waits. After that no event begins; one that the subscriber is
    /// already writing may still appear. (Waiting for it would deadlock if the subscriber needs
    /// something that the action has locked, such as standard output.)
    ///
    /// All watches share one thread, which starts when it is first needed and ends after 10 idle
    /// seconds. A subscriber that blocks delays the events of the other watches. One that panics
    /// loses its event and no other; the panic hook reports it. If no subscriber is interested in
    /// events of this level, no thread starts. In a forked child the guard is void.
    ///
    /// ```
    /// use oslo_concurrency::watchdog;
    ///
    /// let watch = watchdog::watch("migrating the database").start();
    /// // migrate …
    /// drop(watch);
    /// ```
    pub fn start(self) -> Watch {
        let Options {
            action,
            level,
            after,
        } = self;
        if level > LevelFilter::current() {
            return Watch { _alarm: None };
        }
        let subscriber = Subscriber::current();
        let alarm = call_after(after, move |elapsed, _| {
            subscriber.send(|| not_completed(&action, level, elapsed));
            None
        });
        Watch {
            _alarm: Some(alarm),
        }
    }

    /// Watches while `action` runs; see [`start`](Self::start).
    pub fn run<T>(self, action: impl FnOnce() -> T) -> T {
        let _watch = self.start();
        action()
    }
}

/// A watched action. Dropping this ends the watch.
#[derive(Debug)]
#[must_use = "the action is watched until this is dropped"]
pub struct Watch {
    _alarm: Option<Alarm>,
}

fn not_completed(action: &str, level: Level, elapsed: Duration) {
    let elapsed_seconds = elapsed.as_secs_f64();
    macro_rules! at {
        ($level:expr) => {
            tracing::event!(
                $level,
                action,
                elapsed_seconds,
                "{action} not completed after {elapsed_seconds:.3}s"
            )
        };
    }
    match level {
        Level::ERROR => at!(Level::ERROR),
        Level::WARN => at!(Level::WARN),
        Level::INFO => at!(Level::INFO),
        Level::DEBUG => at!(Level::DEBUG),
        _ => at!(Level::TRACE),
    }
}
