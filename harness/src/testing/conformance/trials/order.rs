//! In which order those who wait come in.

use std::fs;
use std::sync::atomic::{AtomicI32, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::Scope;
use std::time::{Duration, Instant};

use nix::unistd::gettid;

use super::super::load::Load;
use super::support::Make;
use crate::testing::checker;
use crate::testing::finding::Finding;
use crate::testing::lock::{Guarantee, Lock, WaitLimit};

/// Nobody is passed over for good: not one gets the lock far more seldom than the others.
///
/// Between two sections each worker stays away for longer than a section lasts, so that whoever looks now and then finds the lock free as often as
/// the others do.
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

/// Threads of one process come in in the order in which they began to wait.
pub(super) fn fairness<L: Lock>(make: Make<'_, L>) -> Finding {
    Load::processes(1).run(make, &|participant| {
        if let Err(why) = in_order(make) {
            participant.complain(&why);
        }
        participant.section(|| ());
    })
}

fn in_order<L: Lock>(make: Make<'_, L>) -> Result<(), String> {
    const ROUNDS: usize = 10;
    const WAITERS: usize = 4;
    for _ in 0..ROUNDS {
        let order = Mutex::new(Vec::new());
        let mut waiting = Ok(());
        let held = std::thread::scope(|scope| {
            make()
                .run(WaitLimit::Forever, &mut || {
                    waiting = (0..WAITERS)
                        .try_for_each(|waiter| start_waiting(scope, make, waiter, &order));
                })
                .map_err(|error| error.to_string())
        });
        match (held, waiting) {
            (Ok(_), Ok(())) => {}
            (Ok(_), Err(why)) => return Err(why),
            (Err(error), _) => return Err(format!("the lock failed: {error}")),
        }
        let order = order.into_inner().unwrap_or_else(PoisonError::into_inner);
        if !order.is_sorted() || order.len() < WAITERS {
            return Err(format!(
                "threads that waited in the order 0 to {} came in as {order:?}",
                WAITERS - 1
            ));
        }
    }
    Ok(())
}

/// Starts a thread that waits for the lock; comes back when it does.
fn start_waiting<'scope, 'env: 'scope, L: Lock>(
    scope: &'scope Scope<'scope, 'env>,
    make: Make<'env, L>,
    number: usize,
    order: &'env Mutex<Vec<usize>>,
) -> Result<(), String> {
    let thread = Arc::new(AtomicI32::new(0));
    let tid = Arc::clone(&thread);
    scope.spawn(move || {
        let lock = make();
        tid.store(gettid().as_raw(), Ordering::Release);
        // Who fails is missing in the order.
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
            return Err(
                "a thread that waits for the lock did not go to sleep within 10 s".to_owned(),
            );
        }
        std::thread::sleep(Duration::from_micros(200));
    }
    Ok(())
}

/// Whether a thread of this process waits in the kernel: the state in /proc/PID/stat (proc_pid_stat(5)).
fn sleeps(tid: i32) -> bool {
    fs::read_to_string(format!("/proc/self/task/{tid}/stat")).is_ok_and(|stat| {
        stat.rsplit(") ")
            .next()
            .is_some_and(|rest| rest.starts_with('S'))
    })
}
