//! The warning about a wait for a lock that lasts long, and how the holder is found.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use crate::alarms::{self, Alarm, Stopped};
use crate::contained::contained;
use crate::files::{ProcessLock, turnstile_path};
use crate::fork;
use crate::named::lock_table::{ExternalEntry, InternalEntry};
use crate::sys::holders;
use crate::threads::{Who, who};
use crate::watchdog::Subscriber;

/// How long a wait lasts before it is warned about, by default.
pub(crate) const WARN_AFTER: Duration = Duration::from_secs(60);

/// The least time between two warnings, for those who want the first one at once.
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
    /// Warns after `first`, and again each time that the wait has lasted twice as long as at the warning before, until
    /// the answer is dropped. `waited` is how long it has lasted already.
    ///
    /// The events are sent by another thread, to the subscriber and in the span of the calling one. That thread asks
    /// the subscriber whether it listens: the calling one is in the queue, and others wait for it to answer a call.
    pub(crate) fn warn(self, waited: Duration, first: Duration) -> Option<Alarm> {
        if !fork::may_log() {
            return None;
        }
        let subscriber = Subscriber::current();
        Some(alarms::call_after(
            first,
            move |since, stopped: &Stopped| {
                let waited = waited + since;
                // A subscriber that panics is told of the next warning all the same.
                contained(|| subscriber.tell(|| self.tell_unless(waited, stopped)));
                // Counted from when the alarm was set: the next is due when the wait has doubled.
                Some(since.saturating_add(waited.max(SOONEST)))
            },
        ))
    }

    /// Sends the event, unless the wait ends while the holder is being looked for, which takes some milliseconds.
    fn tell_unless(&self, waited: Duration, over: &Stopped) {
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

    /// Who is in the way, at the first of the three locks that is not the waiter's.
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
            (None, None) => "nobody any more".into(),
        }
    }
}

fn describe(holder: u64) -> String {
    match who(holder) {
        Who::Nobody => "nobody any more".into(),
        Who::Task => "an asynchronous task of this process".into(),
        Who::Thread(tid) => match std::fs::read_to_string(format!("/proc/self/task/{tid}/comm")) {
            Ok(name) => format!("thread {tid} ({}) of this process", name.trim_end()),
            Err(_) => format!("thread {tid} of this process, which has ended"),
        },
    }
}

fn processes(external: &ProcessLock) -> String {
    let in_the_way = |path: &std::path::Path| {
        let holders = holders::of(path).unwrap_or_default();
        let holders = holders
            .into_iter()
            .filter(|holder| holder.kind != holders::Kind::Flock);
        holders.map(|holder| holder.to_string()).collect::<Vec<_>>()
    };
    let mut found = in_the_way(external.path());
    if found.is_empty() {
        let before_us = in_the_way(&turnstile_path(external.path()));
        found.extend(
            before_us
                .into_iter()
                .map(|holder| format!("next is {holder}")),
        );
    }
    if found.is_empty() {
        "nobody any more, or a process of another user".into()
    } else {
        found.join(", ")
    }
}
