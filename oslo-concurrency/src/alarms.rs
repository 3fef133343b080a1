//! A thread that calls back after some time. It starts when it is first needed, and ends when it is
//! idle.

use std::collections::BTreeMap;
use std::io;
use std::time::Duration;

use crate::contained::contained;
use crate::fork::{self, PerProcess};
use crate::sync::{
    Arc, AtomicBool, Condvar, Instant, Mutex, Ordering, PoisonError, THREAD_STAYS, lock,
};

/// An alarm that is due later than this is never called.
const NEVER: Duration = Duration::from_secs(365 * 24 * 60 * 60);

/// `true` once the alarm was dropped.
pub(crate) type Stopped = AtomicBool;

/// Takes the time since the alarm was set, and returns the time since then after which to call
/// again.
type Call = dyn FnMut(Duration, &Stopped) -> Option<Duration> + Send;

/// Starts a thread of this name.
pub(crate) type Spawn = fn(&str, Box<dyn FnOnce() + Send>) -> io::Result<()>;

/// A thread for alarms. A call delays the other alarms of its thread, so each purpose has its own.
#[derive(Debug)]
pub(crate) struct AlarmThread {
    name: &'static str,
    spawn: Spawn,
    alarms: PerProcess<Arc<Alarms>>,
}

#[derive(Debug)]
struct Alarms {
    name: &'static str,
    spawn: Spawn,
    state: Mutex<State>,
    sooner: Condvar,
}

#[derive(Debug, Default)]
struct State {
    /// By the time when they are due, and a number that distinguishes those of the same time.
    due: BTreeMap<Place, Arc<Entry>>,
    next_number: u64,
    /// The time when the thread wakes up by itself, if it runs.
    wakes_at: Option<Instant>,
}

type Place = (Instant, u64);

struct Entry {
    began: Instant,
    stopped: Stopped,
    call: Mutex<Box<Call>>,
    /// The key in the map, if the alarm is there.
    place: Mutex<Option<Place>>,
}

impl std::fmt::Debug for Entry {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Entry").finish_non_exhaustive()
    }
}

/// An alarm. Dropping it stops the calls, and does not wait for one that is under way unless the
/// alarm is [`awaited`](Self::awaited).
#[derive(Debug)]
pub(crate) struct Alarm {
    handle: Option<Handle>,
    awaited: bool,
    generation: u64,
}

/// Reaches an alarm from another thread.
#[derive(Clone, Debug)]
pub(crate) struct Handle {
    alarms: Arc<Alarms>,
    entry: Arc<Entry>,
}

impl AlarmThread {
    pub(crate) const fn new(name: &'static str, spawn: Spawn) -> Self {
        AlarmThread {
            name,
            spawn,
            alarms: PerProcess::new(),
        }
    }

    /// Calls `call` after `after`, in this thread. A panic ends the alarm and nothing else.
    ///
    /// # Errors
    /// The thread cannot be started. The alarm is set nevertheless, for a thread that is started
    /// later.
    pub(crate) fn call_after(
        &self,
        after: Duration,
        call: impl FnMut(Duration, &Stopped) -> Option<Duration> + Send + 'static,
    ) -> (Alarm, io::Result<()>) {
        let began = Instant::now();
        let entry = Arc::new(Entry {
            began,
            stopped: Stopped::new(false),
            call: Mutex::new(Box::new(call)),
            place: Mutex::new(None),
        });
        let alarms = Arc::clone(
            self.alarms
                .get_or_make(|| Arc::new(Alarms::new(self.name, self.spawn))),
        );
        let mut started = Ok(());
        if let Some(due) = began.checked_add(after.min(NEVER)) {
            alarms.insert(due, &entry);
            started = alarms.ensure_thread(due);
        }
        let alarm = Alarm {
            handle: Some(Handle { alarms, entry }),
            awaited: false,
            generation: fork::generation(),
        };
        (alarm, started)
    }
}

impl Alarm {
    /// Makes dropping the alarm wait until a call that is under way has ended.
    #[cfg(any(test, target_os = "linux"))]
    pub(crate) fn awaited(mut self) -> Self {
        self.awaited = true;
        self
    }

    /// The means to reach the alarm from another thread.
    #[cfg(any(test, target_os = "linux"))]
    pub(crate) fn handle(&self) -> Option<Handle> {
        self.handle.clone()
    }
}

#[cfg(any(test, all(target_os = "linux", feature = "tokio")))]
impl Handle {
    /// Makes the alarm due now, unless it is being called.
    pub(crate) fn call_now(&self) {
        let now = Instant::now();
        let mut state = lock(&self.alarms.state);
        let mut place = lock(&self.entry.place);
        let removed = place.take().and_then(|place| state.due.remove(&place));
        if let Some(entry) = removed {
            *place = Some(state.insert(now, entry));
            self.alarms.sooner.notify_one();
        }
    }
}

impl Drop for Alarm {
    fn drop(&mut self) {
        let Some(Handle { alarms, entry }) = self.handle.take() else {
            return;
        };
        if self.generation != fork::generation() {
            std::mem::forget((alarms, entry));
            return;
        }
        entry.stopped.store(true, Ordering::SeqCst);
        alarms.remove(&entry);
        if self.awaited {
            drop(lock(&entry.call));
        }
        // This drops the subscriber's span. A panic of the subscriber must not unwind into the
        // owner of the alarm, which may have acquired a lock meanwhile.
        contained(|| drop((entry, alarms)));
    }
}

impl State {
    fn insert(&mut self, due: Instant, entry: Arc<Entry>) -> Place {
        let place = (due, self.next_number);
        self.next_number += 1;
        self.due.insert(place, entry);
        place
    }
}

impl Alarms {
    fn new(name: &'static str, spawn: Spawn) -> Self {
        Alarms {
            name,
            spawn,
            state: Mutex::default(),
            sooner: Condvar::new(),
        }
    }

    fn insert(&self, due: Instant, entry: &Arc<Entry>) {
        let mut state = lock(&self.state);
        if entry.stopped.load(Ordering::SeqCst) {
            return; // between two calls
        }
        let place = state.insert(due, Arc::clone(entry));
        *lock(&entry.place) = Some(place);
    }

    fn remove(&self, entry: &Entry) {
        let mut state = lock(&self.state);
        let removed = lock(&entry.place)
            .take()
            .and_then(|place| state.due.remove(&place));
        drop(state);
        drop(removed);
    }

    /// Starts the thread if it does not run, and wakes it up if it would wake up too late by
    /// itself.
    fn ensure_thread(self: &Arc<Self>, due: Instant) -> io::Result<()> {
        let mut state = lock(&self.state);
        match state.wakes_at {
            Some(wakes_at) if wakes_at <= due => {}
            Some(_) => self.sooner.notify_one(),
            None => {
                let alarms = Arc::clone(self);
                (self.spawn)(self.name, Box::new(move || alarms.run()))?;
                state.wakes_at = Some(Instant::now());
            }
        }
        Ok(())
    }

    fn run(&self) {
        let mut idle_since = Instant::now();
        let mut state = lock(&self.state);
        loop {
            let now = Instant::now();
            match state.due.first_key_value() {
                Some((&place, _)) if place.0 <= now => {
                    let entry = state.due.remove(&place);
                    if let Some(entry) = &entry {
                        *lock(&entry.place) = None;
                    }
                    drop(state);
                    // A panic of a subscriber must not end the thread: the other alarms need it.
                    contained(|| entry.map(|entry| self.call(&entry)));
                    idle_since = Instant::now();
                    state = lock(&self.state);
                    continue;
                }
                None if now - idle_since >= THREAD_STAYS => {
                    state.wakes_at = None;
                    return;
                }
                first => {
                    if first.is_some() {
                        idle_since = now;
                    }
                    let wakes_at = first.map_or(idle_since + THREAD_STAYS, |(place, _)| place.0);
                    state.wakes_at = Some(wakes_at);
                    state = self
                        .sooner
                        .wait_timeout(state, wakes_at.saturating_duration_since(now))
                        .unwrap_or_else(PoisonError::into_inner)
                        .0;
                }
            }
        }
    }

    fn call(&self, entry: &Arc<Entry>) {
        let again = {
            let mut call = lock(&entry.call);
            if entry.stopped.load(Ordering::SeqCst) {
                return;
            }
            call(entry.began.elapsed(), &entry.stopped)
        };
        if let Some(due) = again.and_then(|after| entry.began.checked_add(after)) {
            self.insert(due, entry);
        }
    }
}
