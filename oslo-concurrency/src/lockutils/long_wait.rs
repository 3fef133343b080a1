//! What is said of a wait for a lock that lasts long, and how it is found out who holds it.

use std::time::Duration;

use crate::external::{ProcessLock, holders, turnstile_path};
use crate::internal::{QueueLock, Who, who};
use crate::watchdog::alarms::contained;

/// After how long a wait is told of, unless the caller says something else.
pub(crate) const WARN_AFTER: Duration = Duration::from_secs(60);

/// A wait for the lock `name`.
#[derive(Clone, Copy, Debug)]
pub(crate) struct LongWait<'a> {
    pub(crate) name: &'a str,
    pub(crate) function: &'static str,
    /// The number of the thread or task that waits.
    pub(crate) waiter: u64,
    pub(crate) internal: Option<&'a QueueLock>,
    pub(crate) external: Option<&'a ProcessLock>,
}

impl LongWait<'_> {
    /// Tells whoever listens. Takes some milliseconds if a process holds the lock, since all processes are looked through.
    ///
    /// The caller is in the middle of an acquire, which a subscriber that panics must neither end nor leave half-way. So the panic ends
    /// here, reported by the panic hook, and the wait goes on.
    pub(crate) fn tell(&self, waited: Duration) {
        contained(|| {
            if tracing::enabled!(tracing::Level::WARN) {
                self.tell_of(&self.held_by(), waited);
            }
        });
    }

    /// [`tell`](Self::tell), unless the wait ends while it is being found out who holds the lock.
    #[cfg(feature = "tokio")]
    pub(crate) fn tell_unless(&self, waited: Duration, over: &std::sync::atomic::AtomicBool) {
        contained(|| {
            if tracing::enabled!(tracing::Level::WARN) {
                let held_by = self.held_by();
                if !over.load(std::sync::atomic::Ordering::SeqCst) {
                    self.tell_of(&held_by, waited);
                }
            }
        });
    }

    fn tell_of(&self, held_by: &str, waited: Duration) {
        tracing::warn!(
            lock = self.name,
            function = (!self.function.is_empty()).then_some(self.function),
            waited_seconds = waited.as_secs_f64(),
            file = self
                .external
                .map(|external| external.path().display().to_string()),
            held_by,
            "still waiting for a lock"
        );
    }

    /// Who is in the way: at the first of the three gates that is not ours.
    pub(crate) fn held_by(&self) -> String {
        let turn = self.external.map(ProcessLock::holder);
        let internal = self.internal.map(QueueLock::holder);
        let in_this_process = [turn, internal]
            .into_iter()
            .flatten()
            .find(|holder| *holder != 0 && *holder != self.waiter);
        match (in_this_process, self.external) {
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
