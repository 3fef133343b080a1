//! One thread that polls acquires of several tasks in any order, drops some of them half-way, and
//! drops guards in between.

use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use oslo_concurrency::lockutils::{self, AsyncGuard, Error};

use crate::random::{Random, spin};
use crate::round::{CALLS, NAMES, Round, fail, is_locked};

type Acquire<'a> = Pin<Box<dyn Future<Output = Result<AsyncGuard, Error>> + 'a>>;

const AT_MOST: usize = 4;

pub fn thread(round: &Round, slot: usize) {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_time()
        .build()
        .unwrap_or_else(|error| fail(&format!("no runtime: {error}")));
    let _inside = runtime.enter();
    let directory = round.real();
    let alone = round.processes == 1;
    let mut random = Random::new(round.seed, slot as u64);
    let mut context = Context::from_waker(Waker::noop());
    let mut waits: Vec<Acquire<'_>> = Vec::new();
    let mut guards: Vec<AsyncGuard> = Vec::new();
    let mut calls = 0;
    while !round.board.stops() && calls < CALLS {
        calls += 1;
        match random.below(12) {
            0..=3 if waits.len() < AT_MOST => {
                let lock = lockutils::lock(NAMES[random.below(2) as usize])
                    .external(true)
                    .lock_path(&directory);
                let lock = if random.once_in(4) {
                    lock.fair(true)
                } else {
                    lock
                };
                waits.push(Box::pin(lock.acquire_async()));
            }
            0..=7 if !waits.is_empty() => {
                let chosen = random.below(waits.len() as u64) as usize;
                match waits[chosen].as_mut().poll(&mut context) {
                    Poll::Ready(Ok(guard)) => {
                        guards.push(guard);
                        drop(waits.swap_remove(chosen));
                    }
                    Poll::Ready(Err(error)) => fail(&format!("wrong answer: {error}")),
                    Poll::Pending => {}
                }
            }
            8 | 9 if !guards.is_empty() => {
                let guard = guards.swap_remove(random.below(guards.len() as u64) as usize);
                if random.once_in(8) {
                    // On another thread, which then holds the lock.
                    let _ = std::thread::scope(|scope| scope.spawn(move || drop(guard)).join());
                } else {
                    drop(guard);
                }
            }
            10 if !waits.is_empty() => {
                drop(waits.swap_remove(random.below(waits.len() as u64) as usize));
            }
            _ => spin(random.below(20)),
        }
        round.board.goes_on(slot);
        if waits.is_empty() && guards.is_empty() && alone {
            nothing_is_left(round, calls);
        }
    }
    drop(waits);
    drop(guards);
}

fn nothing_is_left(round: &Round, calls: u64) {
    for name in NAMES {
        let file = round.real().join(name);
        let settles = || {
            (0..500).any(|_| {
                std::thread::sleep(Duration::from_millis(1));
                !is_locked(&file)
            })
        };
        if is_locked(&file) && !settles() {
            fail(&format!(
                "orphan: every future and guard was dropped, yet the kernel has a lock on {name}, \
                 after {calls} calls"
            ));
        }
    }
}
