//! The watchdog's alarms: set, called early, repeated and dropped at any moment, by a thread that
//! comes and goes.

use shuttle::thread;

use crate::alarms::AlarmThread;
use crate::checks::random_interleavings;
use crate::sync::{Arc, AtomicBool, AtomicU32, Condvar, Mutex, Ordering::SeqCst, TICK, lock};

/// The number of calls of an alarm, for a thread that waits for them.
#[derive(Default)]
struct Calls {
    count: Mutex<u32>,
    more: Condvar,
}

impl Calls {
    fn one_more(&self) {
        *lock(&self.count) += 1;
        self.more.notify_all();
    }

    fn wait_for(&self, calls: u32) {
        let mut count = lock(&self.count);
        while *count < calls {
            count = self.more.wait(count).unwrap();
        }
    }
}

/// An alarm that is called `calls` times and waited for; shuttle reports a deadlock if it is not
/// called.
fn is_called(alarms: &AlarmThread, after: u32, calls: u32, early: bool) {
    let calls_seen = Arc::new(Calls::default());
    let seen = Arc::clone(&calls_seen);
    let mut left = calls;
    let (alarm, started) = alarms.call_after(TICK * after, move |elapsed, _| {
        assert!(early || elapsed >= TICK * after, "called before its time");
        seen.one_more();
        left -= 1;
        (left > 0).then_some(elapsed + TICK)
    });
    started.unwrap();
    if early {
        alarm.handle().unwrap().call_now();
    }
    calls_seen.wait_for(calls);
    drop(alarm);
}

/// An alarm that is dropped: after that it is not called.
fn is_dropped(alarms: &AlarmThread, after: u32) {
    let over = Arc::new(AtomicBool::new(false));
    let seen = Arc::clone(&over);
    let (alarm, _) = alarms.call_after(TICK * after, move |elapsed, _| {
        assert!(!seen.load(SeqCst), "called after it was dropped");
        Some(elapsed + TICK)
    });
    thread::yield_now();
    drop(alarm.awaited());
    over.store(true, SeqCst);
}

fn threads(work: &'static [fn(&AlarmThread)]) {
    let alarms = Arc::new(AlarmThread::new("model", crate::sys::spawn));
    let left = Arc::new(AtomicU32::new(work.len() as u32));
    let threads: Vec<_> = work
        .iter()
        .map(|work| {
            let (alarms, left) = (Arc::clone(&alarms), Arc::clone(&left));
            thread::spawn(move || {
                work(&alarms);
                left.fetch_sub(1, SeqCst);
            })
        })
        .collect();
    for thread in threads {
        thread.join().unwrap();
    }
    assert_eq!(left.load(SeqCst), 0);
}

#[test]
fn an_alarm_is_called_whoever_sets_and_drops_others() {
    random_interleavings(2_000, || {
        threads(&[|a| is_called(a, 1, 2, false), |a| is_dropped(a, 1)])
    });
    random_interleavings(2_000, || {
        threads(&[
            |a| is_called(a, 3, 1, false),
            |a| is_called(a, 1, 1, false),
            |a| is_dropped(a, 0),
        ]);
    });
}

/// The thread ends when it is idle; an alarm that is set at that moment is called nevertheless.
#[test]
fn an_alarm_is_called_when_the_thread_is_about_to_end() {
    random_interleavings(2_000, || {
        threads(&[|a| {
            is_called(a, 0, 1, false);
            for _ in 0..4 {
                crate::sync::tick();
            }
            is_called(a, 0, 1, false);
        }]);
    });
}

#[test]
fn an_alarm_may_be_called_before_its_time() {
    random_interleavings(2_000, || {
        threads(&[|a| is_called(a, 1_000_000, 1, true), |a| is_dropped(a, 1)]);
    });
}
