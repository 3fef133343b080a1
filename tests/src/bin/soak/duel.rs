//! Threads of one process that each perform one operation on one lock and then meet again, so that
//! no other operation repairs a fault between two of them.

use std::hint::spin_loop;
use std::pin::pin;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::{Context, Waker};
use std::thread::yield_now;
use std::time::Duration;

use oslo_concurrency::lockutils::{self, Error, LockOptions};

use crate::random::{Random, spin};
use crate::round::{Kind, Round, fail, file_is_locked, is_locked};

static ARRIVED: AtomicUsize = AtomicUsize::new(0);
static STOPPED_AT: AtomicUsize = AtomicUsize::new(usize::MAX);

/// Returns once all threads have arrived `times` times.
fn meet(threads: usize, times: usize) {
    ARRIVED.fetch_add(1, Ordering::SeqCst);
    let mut spins = 0u32;
    while ARRIVED.load(Ordering::SeqCst) < threads * times {
        spins += 1;
        if spins.is_multiple_of(200) {
            yield_now();
        } else {
            spin_loop();
        }
    }
}

/// Odd while the impatient thread is in a call.
static CALLS: AtomicUsize = AtomicUsize::new(0);
/// Number of its calls that were followed by a check, for which it waits outside.
static LOOKS: AtomicUsize = AtomicUsize::new(0);

/// One thread acquires the lock repeatedly, the other waits for a microsecond; they do not meet,
/// which would take longer than that. The first checks whenever both are outside.
fn holder_and_impatient(round: &Round, slot: usize, lock: LockOptions<'_>) {
    let file = round.real().join("x");
    let mut random = Random::new(round.seed, slot as u64);
    let mut open = None;
    let mut times = 0u64;
    while !round.board.stops() {
        times += 1;
        if slot == 0 {
            let answer = lock.run(|| ());
            if let Err(error) = answer {
                fail(&format!("wrong answer: {error}"));
            }
            if open.is_none() {
                open = std::fs::File::open(&file).ok();
            }
            let mut spins = 0u32;
            while !CALLS.load(Ordering::SeqCst).is_multiple_of(2) {
                spins += 1;
                if spins.is_multiple_of(200) {
                    yield_now();
                }
            }
            // The other thread stays outside until it learns of this check, if it was outside
            // before it.
            let calls = CALLS.load(Ordering::SeqCst);
            let looks = LOOKS.load(Ordering::SeqCst);
            let Some(open) = &open else { continue };
            if calls.is_multiple_of(2) && calls / 2 > looks {
                let settles = || {
                    (0..2_000).any(|_| {
                        spin(100);
                        !file_is_locked(open)
                    })
                };
                if file_is_locked(open) && !settles() {
                    fail(&format!(
                        "orphan: a wait of a microsecond ended while the holder released; \
                         no worker is inside or waits, and the kernel has a lock, after {times} \
                         sections and {looks} waits"
                    ));
                }
                LOOKS.store(calls / 2, Ordering::SeqCst);
            }
        } else {
            let mut spins = 0u32;
            while LOOKS.load(Ordering::SeqCst) < CALLS.load(Ordering::SeqCst) / 2
                && !round.board.stops()
            {
                spins += 1;
                if spins.is_multiple_of(200) {
                    yield_now();
                }
            }
            CALLS.fetch_add(1, Ordering::SeqCst);
            let answer = lock.timeout(Duration::from_micros(1)).run(|| ());
            CALLS.fetch_add(1, Ordering::SeqCst);
            if let Err(error) = answer
                && !matches!(error, Error::Timeout { .. })
            {
                fail(&format!("wrong answer: {error}"));
            }
            for _ in 0..random.below(200) {
                spin_loop();
            }
        }
        round.board.goes_on(slot);
    }
}

pub fn thread(round: &Round, slot: usize) {
    let mut of_all = Random::new(round.seed, 1000);
    let external = round.kind != Kind::DuelOfThreads;
    let fair = of_all.once_in(4);
    let one_waits_shortly = round.kind == Kind::Duel && of_all.once_in(2);
    let kinds = if round.kind == Kind::DuelOfTasks {
        7
    } else {
        4
    };
    let directory = round.real();
    let file = directory.join("x");
    let mut random = Random::new(round.seed, slot as u64);
    let lock = lockutils::lock("x")
        .external(external)
        .fair(fair)
        .lock_path(&directory);
    if one_waits_shortly {
        if slot < 2 {
            holder_and_impatient(round, slot, lock);
        }
        return;
    }
    let mut times = 0;
    loop {
        times += 1;
        meet(round.threads, 2 * times - 1);
        if STOPPED_AT.load(Ordering::SeqCst) <= times {
            return;
        }
        let choice = random.below(kinds);
        spin(random.below(2));
        let answer = match choice {
            0 | 1 => lock.run(|| ()),
            2 => lock.blocking(false).run(|| ()),
            4.. => {
                let mut future = pin!(lock.acquire_async());
                let mut context = Context::from_waker(Waker::noop());
                let _ = future.as_mut().poll(&mut context);
                Ok(())
            }
            _ => lock
                .timeout(Duration::from_micros(1 + random.below(3)))
                .run(|| ()),
        };
        match answer {
            Ok(()) | Err(Error::NotAcquired { .. } | Error::Timeout { .. }) => {}
            Err(error) => fail(&format!("wrong answer: {error}")),
        }
        round.board.goes_on(slot);
        meet(round.threads, 2 * times);
        if slot == 0 {
            // Tasks may release a moment later, on another thread.
            let settles = || {
                (0..2_000).any(|_| {
                    spin(100);
                    !is_locked(&file)
                })
            };
            if external && is_locked(&file) && !settles() {
                fail(&format!(
                    "orphan: no worker is inside or waits, yet the kernel has a lock, after \
                     {times} meetings"
                ));
            }
            if round.board.stops() {
                STOPPED_AT.store(times + 1, Ordering::SeqCst);
            }
        }
    }
}
