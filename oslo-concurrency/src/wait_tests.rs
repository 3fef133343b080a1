//! `WaitLimit` by itself.

use std::time::Duration;

use crate::sync::Instant;
use crate::wait::{Wait, WaitLimit};
use std::cell::RefCell;

#[test]
fn a_long_wait_is_handed_over_once() {
    for after in [Duration::from_millis(2), Duration::ZERO] {
        let warned = RefCell::new(Vec::new());
        let warn = |waited| {
            warned.borrow_mut().push(waited);
            None
        };
        let mut limit = WaitLimit::with_warning(after, &warn);
        limit.is_logged = || true;
        let Wait::Until(next) = limit.next_look(Wait::Forever) else {
            panic!("the wait is not interrupted");
        };
        while Instant::now() < next {
            std::hint::spin_loop();
        }
        assert!(!limit.is_over(Wait::Forever));
        assert_eq!(limit.next_look(Wait::Forever), Wait::Forever);
        assert!(!limit.is_over(Wait::Forever));
        assert!(matches!(**warned.borrow(), [waited] if waited >= after));
    }
}

#[test]
fn the_deadline_comes_before_the_warning() {
    let warned = RefCell::new(0);
    let warn = |_| {
        *warned.borrow_mut() += 1;
        None
    };
    let deadline = Wait::at_most(Duration::ZERO);
    let mut limit = WaitLimit::with_warning(Duration::from_secs(60), &warn);
    limit.is_logged = || true;
    assert_eq!(limit.next_look(deadline), deadline);
    assert!(limit.is_over(deadline));
    assert_eq!(WaitLimit::silent().next_look(Wait::Forever), Wait::Forever);
    assert_eq!(*warned.borrow(), 0);

    let mut unlogged = WaitLimit::with_warning(Duration::ZERO, &warn);
    unlogged.is_logged = || false;
    assert_eq!(unlogged.next_look(Wait::Forever), Wait::Forever);
}
