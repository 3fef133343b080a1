//! One thread that calls back when something has taken long. It is started when it is first needed, and ends when it is not.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use crate::background;
use crate::fork::{self, PerProcess};

/// How long the thread stays without anything to watch.
const IDLE: Duration = Duration::from_secs(10);

/// Whether the one who set the alarm wants to hear of it no more.
pub(crate) type Stopped = AtomicBool;

/// Is told how much time has passed since the alarm was set, and says after how much it wants to be called again.
type Call = dyn FnMut(Duration, &Stopped) -> Option<Duration> + Send;

static ALARMS: PerProcess<Arc<Alarms>> = PerProcess::new();

#[derive(Default)]
struct Alarms {
    state: Mutex<State>,
    sooner: Condvar,
}

#[derive(Default)]
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

/// An alarm that is set, until this is dropped. Dropping it does not wait for a call that is under way, unless it is [`awaited`](Self::awaited).
pub(crate) struct Alarm {
    /// Not there if the moment is beyond what the clock can say.
    set: Option<Arc<Set>>,
    awaited: bool,
    generation: u64,
}

impl std::fmt::Debug for Alarm {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Alarm").finish_non_exhaustive()
    }
}

/// Calls `call` after `after`, in the thread of the alarms.
pub(crate) fn call_after(
    after: Duration,
    call: impl FnMut(Duration, &Stopped) -> Option<Duration> + Send + 'static,
) -> Alarm {
    let began = Instant::now();
    let set = began.checked_add(after).map(|due| {
        let set = Arc::new(Set {
            began,
            stopped: Stopped::new(false),
            call: Mutex::new(Box::new(call)),
            place: Mutex::new(None),
        });
        let alarms = ALARMS.get_or_make(Arc::default);
        alarms.enter(due, &set);
        alarms.see_to_a_thread(due);
        set
    });
    Alarm {
        set,
        awaited: false,
        generation: fork::generation(),
    }
}

impl Alarm {
    /// Dropping it waits until a call that is under way is over.
    pub(crate) fn awaited(mut self) -> Self {
        self.awaited = true;
        self
    }
}

impl Drop for Alarm {
    fn drop(&mut self) {
        let Some(set) = self.set.take() else { return };
        if self.generation != fork::generation() {
            std::mem::forget(set);
            return;
        }
        set.stopped.store(true, Ordering::SeqCst);
        if let Some(alarms) = ALARMS.peek() {
            alarms.leave(&set);
        }
        if self.awaited {
            drop(lock(&set.call));
        }
    }
}

fn lock<T: ?Sized>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Alarms {
    fn enter(&self, due: Instant, set: &Arc<Set>) {
        let mut state = lock(&self.state);
        if set.stopped.load(Ordering::SeqCst) {
            return; // between two calls
        }
        let place = (due, state.next_number);
        state.next_number += 1;
        state.due.insert(place, Arc::clone(set));
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
    fn see_to_a_thread(self: &Arc<Self>, due: Instant) {
        let mut state = lock(&self.state);
        match state.looks {
            Some(looks) if looks <= due => {}
            Some(_) => self.sooner.notify_one(),
            None => {
                let alarms = Arc::clone(self);
                // Without a thread nobody is told that anything takes long; the next alarm tries again.
                if background::spawn("watchdog", move || alarms.run()).is_ok() {
                    state.looks = Some(Instant::now());
                }
            }
        }
    }

    fn run(&self) {
        let mut idle_since = Instant::now();
        let mut state = lock(&self.state);
        loop {
            let now = Instant::now();
            match state.due.first_key_value() {
                Some((&place, _)) if place.0 <= now => {
                    let set = state.due.remove(&place);
                    drop(state);
                    if let Some(set) = set {
                        self.call(&set);
                    }
                    idle_since = Instant::now();
                    state = lock(&self.state);
                    continue;
                }
                None if now - idle_since >= IDLE => {
                    state.looks = None;
                    return;
                }
                first => {
                    if first.is_some() {
                        idle_since = now;
                    }
                    let looks = first.map_or(idle_since + IDLE, |(place, _)| place.0);
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
        *lock(&set.place) = None;
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

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::mpsc::channel;

    const SOON: Duration = Duration::from_millis(1);
    const LONG: Duration = Duration::from_secs(60);

    #[test]
    fn it_calls_not_before_its_time_and_again_if_asked() {
        let (send, calls) = channel();
        let mut left = 3;
        let alarm = call_after(SOON, move |elapsed, _| {
            send.send(elapsed).unwrap();
            left -= 1;
            (left > 0).then_some(elapsed * 2)
        });
        let calls = [(); 3].map(|()| calls.recv_timeout(LONG).unwrap());
        drop(alarm);
        assert!(calls[0] >= SOON);
        assert!(calls.windows(2).all(|two| two[1] >= two[0] * 2));
    }

    #[test]
    fn one_that_is_due_sooner_is_called_sooner() {
        let (send, calls) = channel();
        let slow = send.clone();
        let _slow = call_after(LONG * 10, move |_, _| {
            slow.send("slow").unwrap();
            None
        });
        let _quick = call_after(SOON, move |_, _| {
            send.send("quick").unwrap();
            None
        });
        assert_eq!(calls.recv_timeout(LONG), Ok("quick"));
    }

    #[test]
    fn a_dropped_alarm_calls_nobody() {
        let (send, calls) = channel();
        for _ in 0..200 {
            let send = send.clone();
            let over = Arc::new(AtomicBool::new(false));
            let seen = Arc::clone(&over);
            let alarm = call_after(Duration::from_micros(50), move |_, _| {
                send.send(seen.load(Ordering::SeqCst)).unwrap();
                None
            });
            std::thread::yield_now();
            drop(alarm.awaited());
            over.store(true, Ordering::SeqCst);
        }
        drop(send);
        assert!(calls.iter().all(|after_the_end| !after_the_end));
    }
}
