//! Questions to a process that is no worker: does it get the lock? Two words of the shared memory:
//! the number of the last question, and that of the last one heard together with its answer.

use std::sync::atomic::Ordering;
use std::thread::sleep;
use std::time::Duration;

use crate::testing::witness::Witness;

/// The answer while there is none.
const NONE: u64 = 0xff;

/// Asks, and returns the number of the question.
pub(super) fn put(witness: &Witness) -> u64 {
    witness.questions().0.fetch_add(1, Ordering::AcqRel) + 1
}

/// Returns `true` once the other process tries to answer.
pub(super) fn is_heard(witness: &Witness, question: u64) -> bool {
    witness.questions().1.load(Ordering::Acquire) >> 8 == question
}

/// The answer, once there is one.
pub(super) fn answer(witness: &Witness, question: u64) -> Option<i32> {
    let word = witness.questions().1.load(Ordering::Acquire);
    (word >> 8 == question && word & 0xff != NONE).then_some((word & 0xff) as i32)
}

/// Answers questions by calling `try_lock`, until the run is over.
pub(crate) fn serve(witness: &Witness, try_lock: Option<&(dyn Fn() -> i32 + Sync)>) {
    let (asked, answered) = witness.questions();
    let mut last = answered.load(Ordering::Acquire) >> 8;
    while let Some(try_lock) = try_lock.filter(|_| !witness.is_dismissed()) {
        let question = asked.load(Ordering::Acquire);
        if question != last {
            last = question;
            answered.store(question << 8 | NONE, Ordering::Release);
            let answer = try_lock() as u64 & 0x7f;
            answered.store(question << 8 | answer, Ordering::Release);
        }
        sleep(Duration::from_micros(200));
    }
}
