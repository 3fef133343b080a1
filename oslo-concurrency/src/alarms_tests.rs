//! Alarms on real threads; `tests/model` checks them under a scheduler.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::channel;
use std::time::Duration;

use crate::watchdog::call_after;

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
fn an_alarm_that_panics_leaves_the_others_alone() {
    let _broken = call_after(Duration::ZERO, |_, _| panic!("a subscriber"));
    for _ in 0..2 {
        let (send, calls) = channel();
        let _alarm = call_after(SOON, move |_, _| {
            send.send(()).unwrap();
            None
        });
        assert_eq!(calls.recv_timeout(LONG), Ok(()));
    }
}

#[test]
fn an_alarm_is_called_now_on_request() {
    let (send, calls) = channel();
    let alarm = call_after(Duration::MAX, move |_, _| {
        send.send(()).unwrap();
        None
    });
    alarm.handle().unwrap().call_now();
    assert_eq!(calls.recv_timeout(LONG), Ok(()));
    alarm.handle().unwrap().call_now();
    drop(alarm);
    assert!(calls.recv_timeout(LONG).is_err(), "it asked for no more");
}

/// The call keeps a span of the subscriber, which may panic when the span ends.
#[test]
fn dropping_an_alarm_contains_a_panic() {
    struct Ends;
    impl Drop for Ends {
        fn drop(&mut self) {
            panic!("a subscriber");
        }
    }
    let span = Ends;
    drop(call_after(LONG, move |_, _| {
        let _ = &span;
        None
    }));
}

#[test]
fn a_dropped_alarm_is_not_called() {
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
