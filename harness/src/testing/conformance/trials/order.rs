//! The order in which waiters acquire the lock.

use std::error::Error;
use std::sync::atomic::{AtomicI32, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::Scope;
use std::time::{Duration, Instant};

use super::super::load::Load;
use super::support::Make;
use crate::sys::inspect::{sleeps, this_thread};
use crate::testing::checker;
use crate::testing::finding::Finding;
use crate::testing::lock::{Guarantee, Lock, WaitLimit};

/// No worker is passed over repeatedly.
///
/// Between two sections each worker stays away for longer than a section lasts, so that a polling
/// waiter finds the lock free as often as the others do.
pub(super) fn progress<L: Lock>(make: Make<'_, L>) -> Finding {
    const TIME: Duration = Duration::from_secs(4);
    let load = match make().promises(Guarantee::Threads) {
        true => Load {
            threads: 2,
            ..Load::processes(2)
        },
        false => Load::processes(4),
    };
    let load = load.attempts(5_000).time(TIME);
    load.judged(
        make,
        &|participant| {
            while !participant.is_over() {
                participant.section(|| std::thread::sleep(Duration::from_micros(800)));
                let away = participant.worker.random(3_000);
                std::thread::sleep(Duration::from_micros(away));
            }
        },
        &|history, began| checker::starved(history, began),
    )
}

/// Threads of one process acquire the lock in the order in which they began to wait.
pub(super) fn fairness<L: Lock>(make: Make<'_, L>) -> Finding {
    Load::processes(1).run(make, &|participant| {
        if let Err(error) = in_order(make) {
            participant.fail(&error.to_string());
        }
        participant.section(|| ());
    })
}

/// The reason why the order of waiters is wrong or unknown.
#[derive(Debug, thiserror::Error)]
enum OrderError {
    #[error("the lock failed: {0}")]
    Lock(Box<dyn Error>),
    #[error("a thread that waits for the lock did not go to sleep within 10 s")]
    Awake,
    #[error(
        "threads that waited in the order 0 to {last} acquired the lock in the order {order:?}"
    )]
    Order { last: usize, order: Vec<usize> },
}

fn in_order<L: Lock>(make: Make<'_, L>) -> Result<(), OrderError> {
    const ROUNDS: usize = 10;
    const WAITERS: usize = 4;
    for _ in 0..ROUNDS {
        let order = Mutex::new(Vec::new());
        let mut waiting = Ok(());
        let held = std::thread::scope(|scope| {
            make().run(WaitLimit::Forever, &mut || {
                waiting =
                    (0..WAITERS).try_for_each(|waiter| start_waiting(scope, make, waiter, &order));
            })
        });
        held.map_err(OrderError::Lock)?;
        waiting?;
        let order = order.into_inner().unwrap_or_else(PoisonError::into_inner);
        if !order.is_sorted() || order.len() < WAITERS {
            return Err(OrderError::Order {
                last: WAITERS - 1,
                order,
            });
        }
    }
    Ok(())
}

/// Starts a thread that waits for the lock, and returns once it does.
fn start_waiting<'scope, 'env: 'scope, L: Lock>(
    scope: &'scope Scope<'scope, 'env>,
    make: Make<'env, L>,
    number: usize,
    order: &'env Mutex<Vec<usize>>,
) -> Result<(), OrderError> {
    let thread = Arc::new(AtomicI32::new(0));
    let tid = Arc::clone(&thread);
    scope.spawn(move || {
        let lock = make();
        tid.store(this_thread(), Ordering::Release);
        // A waiter that fails is missing in the order.
        let _ = lock.run(WaitLimit::Forever, &mut || {
            order
                .lock()
                .unwrap_or_else(PoisonError::into_inner)
                .push(number);
        });
    });
    let deadline = Instant::now() + Duration::from_secs(10);
    let mut in_a_row = 0;
    while in_a_row < 3 {
        in_a_row = match thread.load(Ordering::Acquire) {
            0 => 0,
            tid if sleeps(tid) => in_a_row + 1,
            _ => 0,
        };
        if Instant::now() > deadline {
            return Err(OrderError::Awake);
        }
        std::thread::sleep(Duration::from_micros(200));
    }
    Ok(())
}
