//! Compares the checker with an oracle that tries every order of the operations.

use lockutils_harness::testing::checker::{Promises, check};
use lockutils_harness::testing::conformance::WaitLimit;
use lockutils_harness::testing::history::{Event, EventKind, Mode};

/// Random numbers, the same in every run (xorshift, Marsaglia 2003).
struct Random(u64);

impl Random {
    fn below(&mut self, n: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        (self.0 >> 33) as usize % n
    }
}

#[derive(Clone, Copy, Debug, PartialEq)]
enum What {
    Acquire,
    Refused,
    Release,
}

/// An operation from its call to its return, as positions in the history; `None` if it never
/// returned.
#[derive(Clone, Copy, Debug)]
struct Operation {
    worker: u32,
    what: What,
    called: usize,
    returned: Option<usize>,
}

fn operations(history: &[Event]) -> Vec<Operation> {
    let mut operations: Vec<Operation> = Vec::new();
    for (at, event) in history.iter().enumerate() {
        let called = |what| Operation {
            worker: event.worker,
            what,
            called: at,
            returned: None,
        };
        match event.kind {
            EventKind::Requested { .. } => operations.push(called(What::Acquire)),
            EventKind::Releasing => operations.push(called(What::Release)),
            EventKind::Acquired | EventKind::Busy | EventKind::Released => {
                let open = operations
                    .iter_mut()
                    .rfind(|operation| operation.worker == event.worker)
                    .unwrap();
                open.returned = Some(at);
                if event.kind == EventKind::Busy {
                    open.what = What::Refused;
                }
            }
            _ => unreachable!("not generated"),
        }
    }
    operations
}

/// Returns `true` if the operations have an order that agrees with their times and in which one
/// lock could have given these answers.
fn has_an_order(left: &[Operation], holder: Option<u32>) -> bool {
    let Some(first_return) = left.iter().filter_map(|operation| operation.returned).min() else {
        return true; // an operation that never returned need not have happened
    };
    left.iter().enumerate().any(|(number, operation)| {
        if operation.called > first_return {
            return false;
        }
        let next = match (operation.what, holder) {
            (What::Acquire, None) => Some(operation.worker),
            (What::Refused, Some(holder)) => Some(holder),
            (What::Release, Some(holder)) if holder == operation.worker => None,
            _ => return false,
        };
        let mut rest = left.to_vec();
        rest.remove(number);
        has_an_order(&rest, next)
    })
}

/// A history with one operation at a time per worker and random answers, usually those of a lock.
fn history(random: &mut Random) -> Vec<Event> {
    #[derive(Clone, Copy, PartialEq)]
    enum State {
        Idle,
        Asking,
        Holding,
        Releasing,
    }
    let workers = 2 + random.below(3);
    let length = 4 + random.below(14);
    let mistakes = [2, 5, 30, 1_000_000][random.below(4)];
    let mut states = vec![State::Idle; workers];
    let mut history = Vec::new();
    for time in 0..length {
        let worker = random.below(workers);
        let holders = states
            .iter()
            .filter(|state| matches!(state, State::Holding))
            .count();
        let kind = match states[worker] {
            State::Idle => {
                states[worker] = State::Asking;
                EventKind::Requested {
                    mode: Mode::Exclusive,
                    limit: WaitLimit::NoWait,
                }
            }
            State::Asking => {
                let mut refuse = holders > 0 || random.below(4) == 0;
                if random.below(mistakes) == 0 {
                    refuse = !refuse;
                }
                states[worker] = if refuse { State::Idle } else { State::Holding };
                if refuse {
                    EventKind::Busy
                } else {
                    EventKind::Acquired
                }
            }
            State::Holding => {
                states[worker] = State::Releasing;
                EventKind::Releasing
            }
            State::Releasing => {
                states[worker] = State::Idle;
                EventKind::Released
            }
        };
        history.push(Event {
            time: time as u64,
            worker: worker as u32,
            kind,
        });
    }
    history
}

#[test]
fn the_checker_agrees_with_every_order_tried_on_a_hundred_thousand_histories() {
    const HISTORIES: usize = 100_000;
    let mut random = Random(0x9e37_79b9_7f4a_7c15);
    let mut legal = 0;
    for number in 0..HISTORIES {
        let history = history(&mut random);
        let expected = has_an_order(&operations(&history), None);
        let findings = check(&history, &Promises::default());
        let found = !findings.exclusion.is_violated() && !findings.refusals.is_violated();
        assert_eq!(
            found, expected,
            "history {number}: {findings:#?}\n{history:#?}"
        );
        legal += usize::from(expected);
    }
    assert!(
        (HISTORIES / 5..HISTORIES * 4 / 5).contains(&legal),
        "{legal} of {HISTORIES} were legal: too one-sided to prove anything"
    );
}
