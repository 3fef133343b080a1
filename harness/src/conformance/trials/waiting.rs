//! Those who wait: how long, in which order, and what they do when they have given up.

use std::fs;
use std::sync::atomic::{AtomicI32, Ordering};
use std::sync::{Mutex, PoisonError};
use std::thread::Scope;
use std::time::{Duration, Instant};

use nix::unistd::gettid;

use super::{Answer, Lock, Make, Patience, STUCK, acquire, stress, unsupported, verdict};
use crate::stress::Fault;
use crate::verdict::Verdict;

const TIME: Duration = Duration::from_millis(20);

/// While one lock is held by another thread, a timed wait for it.
pub(super) fn timeout<L: Lock>(make: Make<'_, L>) -> Verdict {
    match waits_in_vain(make) {
        Ok(waited) if waited < TIME => {
            Verdict::Violated(format!("it came back after {waited:?} of {TIME:?}"))
        }
        Ok(waited) if waited > TIME + STUCK / 5 => {
            Verdict::Violated(format!("it came back after {waited:?}, not {TIME:?}"))
        }
        Ok(_) => Verdict::Held,
        Err(verdict) => verdict,
    }
}

/// After a wait that was given up, nobody has the lock.
pub(super) fn given_up<L: Lock>(make: Make<'_, L>) -> Verdict {
    const ROUNDS: usize = 5;
    for _ in 0..ROUNDS {
        if let Err(verdict) = waits_in_vain(make) {
            return verdict;
        }
        let until = Instant::now() + TIME;
        while Instant::now() < until {
            match make().run(Patience::None, &mut || ()) {
                Ok(Answer::Ran) => std::thread::yield_now(),
                Ok(Answer::Unsupported) => return unsupported("the lock cannot be tried"),
                Ok(Answer::Busy | Answer::TimedOut) => {
                    return Verdict::Violated(
                        "the lock was taken by a wait that had been given up".into(),
                    );
                }
                Err(error) => return Verdict::Violated(format!("it failed: {error}")),
            }
        }
    }
    Verdict::Held
}

/// How long a wait of [`TIME`] took that ended without the lock.
fn waits_in_vain<L: Lock>(make: Make<'_, L>) -> Result<Duration, Verdict> {
    let mut attempt = None;
    let held = make().run(Patience::Forever, &mut || {
        std::thread::scope(|scope| {
            let waiter = scope.spawn(|| {
                let waiter = make();
                let asked = Instant::now();
                let answer = waiter.run(Patience::AtMost(TIME), &mut || ());
                (answer.map_err(|error| error.to_string()), asked.elapsed())
            });
            attempt = waiter.join().ok();
        });
    });
    match (held, attempt) {
        (Ok(Answer::Ran), Some((Ok(Answer::TimedOut), waited))) => Ok(waited),
        (Ok(Answer::Ran), Some((Ok(Answer::Ran), _))) => Err(Verdict::Violated(
            "it was acquired while another thread held it".into(),
        )),
        (Ok(Answer::Ran), Some((Ok(Answer::Unsupported), _))) => {
            Err(unsupported("the lock has no timed wait"))
        }
        other => Err(Verdict::Violated(format!("unexpected: {other:?}"))),
    }
}

/// Signals interrupt those who wait.
pub(super) fn signals<L: Lock>(make: Make<'_, L>) -> Verdict {
    let stress = stress().processes(3).sections(100);
    let stress = stress.hold(Duration::from_micros(100));
    verdict(&stress.faults(&[Fault::SignalStorm], 2).run(|worker| {
        acquire(&make(), &mut || worker.section(|| ()));
    }))
}

/// Threads of one process come in in the order in which they began to wait.
pub(super) fn fairness<L: Lock>(make: Make<'_, L>) -> Verdict {
    const ROUNDS: usize = 10;
    const WAITERS: usize = 4;
    for _ in 0..ROUNDS {
        let order = Mutex::new(Vec::new());
        let mut waiting = Ok(());
        let held = std::thread::scope(|scope| {
            make()
                .run(Patience::Forever, &mut || {
                    waiting = (0..WAITERS)
                        .try_for_each(|waiter| start_waiting(scope, make, waiter, &order));
                })
                .map_err(|error| error.to_string())
        });
        match (held, waiting) {
            (Ok(_), Ok(())) => {}
            (Ok(_), Err(verdict)) => return verdict,
            (Err(error), _) => return Verdict::Violated(format!("it failed: {error}")),
        }
        let order = order.into_inner().unwrap_or_else(PoisonError::into_inner);
        if !order.is_sorted() || order.len() < WAITERS {
            return Verdict::Violated(format!(
                "those who waited in the order 0 to {} came in as {order:?}",
                WAITERS - 1
            ));
        }
    }
    Verdict::Held
}

/// Starts a thread that waits for the lock; comes back when it does.
fn start_waiting<'scope, 'env: 'scope, L: Lock>(
    scope: &'scope Scope<'scope, 'env>,
    make: Make<'env, L>,
    number: usize,
    order: &'env Mutex<Vec<usize>>,
) -> Result<(), Verdict> {
    let thread = std::sync::Arc::new(AtomicI32::new(0));
    let tid = std::sync::Arc::clone(&thread);
    scope.spawn(move || {
        let lock = make();
        tid.store(gettid().as_raw(), Ordering::Release);
        // Who fails is missing in the order.
        let _ = lock.run(Patience::Forever, &mut || {
            order
                .lock()
                .unwrap_or_else(PoisonError::into_inner)
                .push(number);
        });
    });
    let deadline = Instant::now() + STUCK;
    let mut in_a_row = 0;
    while in_a_row < 3 {
        in_a_row = match thread.load(Ordering::Acquire) {
            0 => 0,
            tid if sleeps(tid) => in_a_row + 1,
            _ => 0,
        };
        if Instant::now() > deadline {
            return Err(unsupported("a thread that waits does not sleep"));
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
