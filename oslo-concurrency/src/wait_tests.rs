//! Patience by itself.

use std::time::Duration;

use crate::sync::Instant;
use crate::wait::{Patience, Wait};
use std::cell::RefCell;

#[test]
fn a_long_wait_is_handed_over_once() {
    for after in [Duration::from_millis(2), Duration::ZERO] {
        let warned = RefCell::new(Vec::new());
        let warn = |waited| {
            warned.borrow_mut().push(waited);
            None
        };
        let mut patience = Patience::new(after, &warn);
        patience.is_heard = || true;
        let Wait::Until(next) = patience.limit(Wait::Forever) else {
            panic!("the wait is not interrupted");
        };
        while Instant::now() < next {
            std::hint::spin_loop();
        }
        assert!(!patience.is_over(Wait::Forever));
        assert_eq!(patience.limit(Wait::Forever), Wait::Forever);
        assert!(!patience.is_over(Wait::Forever));
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
    let mut patience = Patience::new(Duration::from_secs(60), &warn);
    patience.is_heard = || true;
    assert_eq!(patience.limit(deadline), deadline);
    assert!(patience.is_over(deadline));
    assert_eq!(Patience::silent().limit(Wait::Forever), Wait::Forever);
    assert_eq!(*warned.borrow(), 0);

    let mut unheard = Patience::new(Duration::ZERO, &warn);
    unheard.is_heard = || false;
    assert_eq!(unheard.limit(Wait::Forever), Wait::Forever);
}
