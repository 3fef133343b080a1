//! A thread that calls back when something has taken long. It is started when it is first needed, and ends when it is not.

use std::collections::BTreeMap;
use std::io;
use std::time::Duration;

use crate::contained::contained;
use crate::fork::{self, PerProcess};
use crate::sync::{
    Arc, AtomicBool, Condvar, Instant, Mutex, Ordering, PoisonError, THREAD_STAYS, lock,
};
use crate::sys;

/// An alarm that is due later than this counts as never due. Its thread stays all the same.
const NEVER: Duration = Duration::from_secs(365 * 24 * 60 * 60);

/// `true` once the owner of the alarm is no longer interested in it.
pub(crate) type Stopped = AtomicBool;

/// Gets the time since the alarm was set, and returns the time since then at which it is to be called again.
type Call = dyn FnMut(Duration, &Stopped) -> Option<Duration> + Send;

/// The events of subscribers.
static EVENTS: AlarmThread = AlarmThread::new("watchdog");

/// A thread for alarms. What one alarm does delays the others of its thread, so each purpose has its own.
#[derive(Debug)]
pub(crate) struct AlarmThread {
    name: &'static str,
    alarms: PerProcess<Arc<Alarms>>,
}

#[derive(Debug)]
struct Alarms {
    name: &'static str,
    state: Mutex<State>,
    sooner: Condvar,
}

#[derive(Debug, Default)]
struct State {
    /// By the moment when they are due, and a number that tells those of one moment apart.
    due: BTreeMap<(Instant, u64), Arc<Set>>,
    next_number: u64,
    /// When the thread looks again, if it runs.
    looks: Option<Instant>,
}

struct Set {
    began: Instant,
    stopped: Stopped,
    call: Mutex<Box<Call>>,
    /// Where it is in the map, if it is.
    place: Mutex<Option<(Instant, u64)>>,
}

impl std::fmt::Debug for Set {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Set").finish_non_exhaustive()
    }
}

/// An alarm that is set, until this is dropped. Dropping it does not wait for a call that is under way, unless it is
/// [`awaited`](Self::awaited).
#[derive(Debug)]
pub(crate) struct Alarm {
    set: Option<Handle>,
    awaited: bool,
    generation: u64,
}

/// Another way to reach an alarm.
#[derive(Clone, Debug)]
pub(crate) struct Handle {
    alarms: Arc<Alarms>,
    set: Arc<Set>,
}

impl AlarmThread {
    pub(crate) const fn new(name: &'static str) -> Self {
        AlarmThread {
            name,
            alarms: PerProcess::new(),
        }
    }

    /// Calls `call` after `after`, in this thread; a panic of it is contained and ends its alarm.
    ///
    /// # Errors
    /// If the thread cannot be started. The alarm is set nevertheless, for a thread that is started later.
    pub(crate) fn call_after(
        &self,
        after: Duration,
        call: impl FnMut(Duration, &Stopped) -> Option<Duration> + Send + 'static,
    ) -> (Alarm, io::Result<()>) {
        let began = Instant::now();
        let set = Arc::new(Set {
            began,
            stopped: Stopped::new(false),
            call: Mutex::new(Box::new(call)),
            place: Mutex::new(None),
        });
        let alarms = Arc::clone(self.alarms.get_or_make(|| Arc::new(Alarms::new(self.name))));
        let mut started = Ok(());
        if let Some(due) = began.checked_add(after.min(NEVER)) {
            alarms.enter(due, &set);
            started = alarms.see_to_a_thread(due);
        }
        let alarm = Alarm {
            set: Some(Handle { alarms, set }),
            awaited: false,
            generation: fork::generation(),
        };
        (alarm, started)
    }
}

/// Calls `call` after `after`, in the thread of the events. Without a thread nothing is said of what takes long.
pub(crate) fn call_after(
    after: Duration,
    call: impl FnMut(Duration, &Stopped) -> Option<Duration> + Send + 'static,
) -> Alarm {
    EVENTS.call_after(after, call).0
}

impl Alarm {
    /// Dropping it waits until a call that is under way is over.
    pub(crate) fn awaited(mut self) -> Self {
        self.awaited = true;
        self
    }

    /// To hurry it from elsewhere.
    pub(crate) fn handle(&self) -> Option<Handle> {
        self.set.clone()
    }
}

#[cfg(any(test, feature = "tokio"))]
impl Handle {
    /// Makes the alarm due now, unless it is being called.
    pub(crate) fn hurry(&self) {
        let now = Instant::now();
        let mut state = lock(&self.alarms.state);
        let mut place = lock(&self.set.place);
        let entry = place.take().and_then(|place| state.due.remove(&place));
        if let Some(set) = entry {
            *place = Some(state.insert(now, set));
            self.alarms.sooner.notify_one();
        }
    }
}

impl Drop for Alarm {
    fn drop(&mut self) {
        let Some(Handle { alarms, set }) = self.set.take() else {
            return;
        };
        if self.generation != fork::generation() {
            std::mem::forget((alarms, set));
            return;
        }
        set.stopped.store(true, Ordering::SeqCst);
        alarms.leave(&set);
        if self.awaited {
            drop(lock(&set.call));
        }
        // With the call goes the subscriber's span: what the subscriber does then must not end the owner of the alarm,
        // who may have acquired a lock meanwhile.
        contained(|| drop((set, alarms)));
    }
}

impl State {
    fn insert(&mut self, due: Instant, set: Arc<Set>) -> (Instant, u64) {
        let place = (due, self.next_number);
        self.next_number += 1;
        self.due.insert(place, set);
        place
    }
}

impl Alarms {
    fn new(name: &'static str) -> Self {
        Alarms {
            name,
            state: Mutex::default(),
            sooner: Condvar::new(),
        }
    }

    fn enter(&self, due: Instant, set: &Arc<Set>) {
        let mut state = lock(&self.state);
        if set.stopped.load(Ordering::SeqCst) {
            return; // between two calls
        }
        let place = state.insert(due, Arc::clone(set));
        *lock(&set.place) = Some(place);
    }

    fn leave(&self, set: &Set) {
        let mut state = lock(&self.state);
        let left = lock(&set.place)
            .take()
            .and_then(|place| state.due.remove(&place));
        drop(state);
        drop(left);
    }

    /// The thread looks again on its own, unless something is due before that.
    fn see_to_a_thread(self: &Arc<Self>, due: Instant) -> io::Result<()> {
        let mut state = lock(&self.state);
        match state.looks {
            Some(looks) if looks <= due => {}
            Some(_) => self.sooner.notify_one(),
            None => {
                let alarms = Arc::clone(self);
                sys::spawn(self.name, move || alarms.run())?;
                state.looks = Some(Instant::now());
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
                    let set = state.due.remove(&place);
                    if let Some(set) = &set {
                        *lock(&set.place) = None;
                    }
                    drop(state);
                    // What a subscriber does must not end the thread: the other alarms need it.
                    contained(|| set.map(|set| self.call(&set)));
                    idle_since = Instant::now();
                    state = lock(&self.state);
                    continue;
                }
                None if now - idle_since >= THREAD_STAYS => {
                    state.looks = None;
                    return;
                }
                first => {
                    if first.is_some() {
                        idle_since = now;
                    }
                    let looks = first.map_or(idle_since + THREAD_STAYS, |(place, _)| place.0);
                    state.looks = Some(looks);
                    state = self
                        .sooner
                        .wait_timeout(state, looks.saturating_duration_since(now))
                        .unwrap_or_else(PoisonError::into_inner)
                        .0;
                }
            }
        }
    }

    fn call(&self, set: &Arc<Set>) {
        let again = {
            let mut call = lock(&set.call);
            if set.stopped.load(Ordering::SeqCst) {
                return;
            }
            call(set.began.elapsed(), &set.stopped)
        };
        if let Some(due) = again.and_then(|after| set.began.checked_add(after)) {
            self.enter(due, set);
        }
    }
}
