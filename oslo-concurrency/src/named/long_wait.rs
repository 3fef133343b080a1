//! Warnings about waits for a lock that last long, with the holder of the lock.

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use crate::alarms::{Alarm, Stopped};
use crate::contained::contained;
use crate::files::{ProcessLock, turnstile_path};
use crate::fork;
use crate::named::lock_table::{ExternalEntry, InternalEntry};
use crate::sys;
use crate::threads::Owner;
use crate::watchdog::{Subscriber, call_after};

/// Time after which a wait is warned about, by default.
pub(crate) const WARN_AFTER: Duration = Duration::from_secs(60);

/// Minimum time between two warnings, even if the first is due at once.
const SOONEST: Duration = Duration::from_millis(10);

/// A wait for the lock `name`.
#[derive(Clone, Debug)]
pub(crate) struct LongWait {
    pub(crate) name: String,
    pub(crate) function: &'static str,
    /// The number of the thread or task that waits.
    pub(crate) waiter: u64,
    pub(crate) internal: Option<Arc<InternalEntry>>,
    pub(crate) external: Option<Arc<ExternalEntry>>,
}

impl LongWait {
    /// Warns after `first`, and again each time that the wait has lasted twice as long as at the
    /// warning before, until the returned alarm is dropped. `waited` is the time that the wait has
    /// lasted already.
    ///
    /// Another thread sends the events, to the subscriber and in the span of the calling thread.
    /// It also asks whether the subscriber is interested. The calling thread must not: it is in the
    /// queue, where others wait for it to answer a call.
    pub(crate) fn warn(self, waited: Duration, first: Duration) -> Option<Alarm> {
        if !fork::may_log() {
            return None;
        }
        let subscriber = Subscriber::current();
        Some(call_after(first, move |since, stopped: &Stopped| {
            let waited = waited + since;
            // A subscriber that panics gets the next warning all the same.
            contained(|| subscriber.send(|| self.send_unless(waited, stopped)));
            // Counted from when the alarm was set: the next is due when the wait has doubled.
            Some(since.saturating_add(waited.max(SOONEST)))
        }))
    }

    /// Sends the event, unless the wait ends during the search for the holder, which takes some
    /// milliseconds.
    fn send_unless(&self, waited: Duration, over: &Stopped) {
        if !tracing::enabled!(tracing::Level::WARN) {
            return;
        }
        let held_by = self.held_by();
        if over.load(Ordering::SeqCst) {
            return;
        }
        tracing::warn!(
            lock = self.name,
            function = (!self.function.is_empty()).then_some(self.function),
            waited_seconds = waited.as_secs_f64(),
            file = self
                .external
                .as_ref()
                .map(|external| external.path().display().to_string()),
            held_by,
            "still waiting for a lock"
        );
    }

    /// The holder of the first of the three locks that the waiter does not have.
    fn held_by(&self) -> String {
        let turn = self.external.as_ref().map(|external| external.holder());
        let internal = self.internal.as_ref().map(|internal| internal.holder());
        let in_this_process = [turn, internal]
            .into_iter()
            .flatten()
            .find(|holder| *holder != 0 && *holder != self.waiter);
        match (in_this_process, &self.external) {
            (Some(holder), _) => describe(holder),
            (None, Some(external)) => processes(external),
            (None, None) => "no holder any more".into(),
        }
    }
}

fn describe(holder: u64) -> String {
    match Owner::of(holder) {
        Owner::None => "no holder any more".into(),
        Owner::Task => "an asynchronous task of this process".into(),
        Owner::Thread(number) => {
            let thread = sys::thread_info(number);
            match thread.name {
                Some(name) => format!("thread {} ({name}) of this process", thread.id),
                None => format!("thread {} of this process, which has ended", thread.id),
            }
        }
    }
}

fn processes(external: &ProcessLock) -> String {
    let holders_of = |path: &Path| sys::holders_of(path).unwrap_or_default();
    let mut found: Vec<String> = holders_of(external.path())
        .iter()
        .map(ToString::to_string)
        .collect();
    if found.is_empty() {
        let next = holders_of(&turnstile_path(external.path()));
        found.extend(next.iter().map(|holder| format!("next is {holder}")));
    }
    if found.is_empty() {
        sys::NO_HOLDER_FOUND.into()
    } else {
        found.join(", ")
    }
}
