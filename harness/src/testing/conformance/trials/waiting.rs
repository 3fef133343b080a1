//! Waiters: the duration of their waits, their wake-ups, and their behaviour after giving up.

use std::time::{Duration, Instant};

use super::super::load::{Load, Participant};
use super::support::{Make, linger_for};
use crate::sys::SignalStorm;
use crate::testing::finding::Finding;
use crate::testing::lock::{Answer, Guarantee, Lock, WaitLimit};

/// The trial with processes, and with threads if the lock promises to exclude them.
fn both<L: Lock>(make: Make<'_, L>, workers: u32, trial: impl Fn(Load) -> Finding) -> Finding {
    let verdict = trial(Load::processes(workers));
    match verdict.is_held() && make().promises(Guarantee::Threads) {
        true => trial(Load::threads(workers)),
        false => verdict,
    }
}

/// Returns `true` if the lock offers this wait limit.
fn offers<L: Lock>(make: Make<'_, L>, limit: WaitLimit) -> bool {
    let answer = make().run(limit, &mut || ());
    !matches!(answer, Ok(Answer::Unsupported))
}

const NO_TRY: &str = "the lock has no try-acquire";
const NO_TIMED_WAIT: &str = "the lock has no timed wait";

/// While one worker holds the lock, the others repeatedly wait for some milliseconds.
pub(super) fn timeout<L: Lock>(make: Make<'_, L>) -> Finding {
    const WAITS: usize = 80;
    const HELD: usize = 0;
    const DONE: usize = 1;
    const WORKERS: u32 = 5;
    if !offers(make, WaitLimit::AtMost(Duration::from_secs(1))) {
        return Finding::unsupported(NO_TIMED_WAIT);
    }
    both(make, WORKERS, |load| {
        load.run(make, &|participant: &Participant<'_, '_, L>| {
            if participant.number() == 0 {
                participant.section(|| {
                    participant.reach(HELD, 1);
                    participant.wait_for(DONE, u64::from(WORKERS) - 1);
                });
                return;
            }
            participant.wait_for(HELD, 1);
            for _ in 0..WAITS {
                let time = Duration::from_micros(1_000 + participant.worker.random(15_000));
                participant.attempt(WaitLimit::AtMost(time), &mut || ());
            }
            participant.count(DONE);
        })
    })
}

/// After a wait was given up and the lock was released, no worker has the lock.
pub(super) fn given_up<L: Lock>(make: Make<'_, L>) -> Finding {
    const ROUNDS: u64 = 12;
    /// Time for which an abandoned wait is observed.
    const AFTERWARDS: Duration = Duration::from_millis(25);
    const HELD: usize = 0;
    const ASKING: usize = 1;
    const GIVEN_UP: usize = 2;
    const RELEASED: usize = 3;
    const LOOKED: usize = 4;
    if !offers(make, WaitLimit::AtMost(Duration::from_secs(1))) {
        return Finding::unsupported(NO_TIMED_WAIT);
    }
    if !offers(make, WaitLimit::NoWait) {
        return Finding::unsupported(NO_TRY);
    }
    both(make, 2, |load| {
        // Many attempts in the time afterwards.
        load.attempts(100_000).run(make, &|participant| {
            let holds = participant.number() == 0;
            for round in 1..=ROUNDS {
                let time = Duration::from_millis(2 + round % 3 * 6);
                if holds {
                    participant.section(|| {
                        participant.reach(HELD, round);
                        participant.wait_for(ASKING, round);
                        if round % 2 == 0 {
                            // Ends at about the same time as the wait: either side gets the lock,
                            // but none keeps it afterwards.
                            linger_for(time);
                        } else {
                            participant.wait_for(GIVEN_UP, round);
                        }
                    });
                    participant.reach(RELEASED, round);
                    participant.wait_for(LOOKED, round);
                    continue;
                }
                participant.wait_for(HELD, round);
                participant.reach(ASKING, round);
                participant.attempt(WaitLimit::AtMost(time), &mut || ());
                participant.reach(GIVEN_UP, round);
                participant.wait_for(RELEASED, round);
                let until = Instant::now() + AFTERWARDS;
                while Instant::now() < until {
                    participant.attempt(WaitLimit::NoWait, &mut || ());
                    std::thread::sleep(Duration::from_micros(50));
                }
                participant.reach(LOOKED, round);
            }
        })
    })
}

/// A free lock is not refused to two workers that take turns.
pub(super) fn refused<L: Lock>(make: Make<'_, L>) -> Finding {
    const TURNS: u64 = 200;
    const TRIES: u64 = 4;
    const TURN: usize = 0;
    if !offers(make, WaitLimit::NoWait) {
        return Finding::unsupported(NO_TRY);
    }
    let timed = offers(make, WaitLimit::AtMost(Duration::from_secs(1)));
    both(make, 2, |load| {
        let load = load.attempts(2_000).time(Duration::from_secs(2));
        load.run(make, &|participant: &Participant<'_, '_, L>| {
            for turn in (u64::from(participant.number())..TURNS).step_by(2) {
                participant.wait_for(TURN, turn);
                for attempt in 0..TRIES {
                    let limit = match attempt == 0 && timed {
                        true => WaitLimit::AtMost(Duration::from_millis(20)),
                        false => WaitLimit::NoWait,
                    };
                    if !participant.is_over() {
                        participant.attempt(limit, &mut || ());
                    }
                }
                participant.reach(TURN, turn + 1);
            }
        })
    })
}

/// Two workers hand the lock to each other. After a release a worker does not use the lock until
/// the other has acquired it, so a waiter that was not woken sleeps on.
pub(super) fn hand_over<L: Lock>(make: Make<'_, L>) -> Finding {
    const HAND_OVERS: usize = 60_000;
    const TIME: Duration = Duration::from_millis(2_500);
    const HELD: usize = 0;
    const ASKING: usize = 1;
    const OVER: usize = 2;
    both(make, 2, |load| {
        let load = load.attempts(HAND_OVERS / 2).time(TIME);
        load.run(make, &|participant: &Participant<'_, '_, L>| {
            let mut turn = u64::from(participant.number());
            loop {
                participant.wait_for(HELD, turn);
                if participant.reached(OVER) > 0 {
                    return;
                }
                participant.reach(ASKING, turn);
                let mut over = false;
                participant.section_mut(&mut || {
                    over = participant.is_over();
                    participant.reach(OVER, u64::from(over));
                    participant.reach(HELD, turn + 1);
                    if !over {
                        participant.wait_for(ASKING, turn + 1);
                        // The other worker is falling asleep: meet it at any point, mostly early.
                        let longest =
                            [2_000, 10_000, 50_000][participant.worker.random(3) as usize];
                        let pause = participant.worker.random(longest);
                        let until = Instant::now() + Duration::from_nanos(pause);
                        while Instant::now() < until {
                            std::hint::spin_loop();
                        }
                    }
                });
                if over {
                    return;
                }
                turn += 2;
            }
        })
    })
}

/// Signals interrupt waiters.
pub(super) fn signals<L: Lock>(make: Make<'_, L>) -> Finding {
    let load = Load::processes(3).attempts(100);
    load.hold(Duration::from_micros(100))
        .run(make, &|participant| {
            while !participant.is_over() {
                let _storm = (participant.worker.random(2) == 0).then(|| {
                    SignalStorm::begin()
                        .unwrap_or_else(|error| panic!("cannot begin the signal storm: {error}"))
                });
                participant.section(|| ());
            }
        })
}
