//! Requests everything that a lock offers, in phases with a pause after each.
//!
//! * *Sharing*: all workers request the lock alike, hold it for a while and stay away for longer,
//!   so that every waiter can get it.
//! * *Contention*: all at once, with every wait limit.
//! * *Hand-over*: a worker that sees another one wait requests nothing before that one was served,
//!   so that no call repairs a wake-up that another worker's release forgot.
//! * *Uncontended*: one worker tries, and no other uses the lock.
//! * *Timeouts*: one worker holds the lock, and the others wait for a shorter time.

use std::sync::atomic::Ordering;
use std::thread::{sleep, yield_now};
use std::time::{Duration, Instant};

use super::Worker;
use crate::testing::forking::{END, Phases};
use crate::testing::lock::{Answer, Lock, WaitLimit};
use crate::testing::witness::Witness;

const SHARING: u64 = 1;
const CONTENTION: u64 = 2;
const HAND_OVER: u64 = 3;
const UNCONTENDED: u64 = 4;
const TIMEOUTS: u64 = 5;

/// The rule: one worker gets the lock far less often than others that request it in the same way.
pub(super) const STARVED: &str = "starved";

/// Number of log entries reserved for the phases that need few.
const RESERVE: u64 = 1 << 12;
/// Together the workers want to hold the lock for longer than there is time, and none requests it
/// again before a waiter could have been woken.
const SHARING_HOLD: Duration = Duration::from_millis(3);
const AWAY_AT_LEAST: Duration = Duration::from_millis(1);
const AWAY_BEYOND: u64 = 2_000;
/// Sufficient number of hand-overs.
const HANDOVERS: u64 = 60_000;
/// Additional time to reach them.
const MORE_TIME: Duration = Duration::from_secs(3);
/// Turns of the median worker after which a worker may count as served.
const TURNS_IF_SERVED: u64 = 10;
/// Turns of the median worker after which a worker may count as starved.
const TURNS: u64 = 40;
/// Turns of the median worker after which the phase ends in any case.
const TURNS_AT_MOST: u64 = 120;
/// A worker is served if it has more than half of the median's turns, and starved if it has a
/// quarter or less: where 40 turns are expected, ten are no coincidence (Poisson: 1e-8).
const SERVED: u64 = 2;
const STARVED_BELOW: u64 = 4;
/// Minimum number of rounds of all phases but the first, however slow the machine is.
const ROUNDS_AT_LEAST: u64 = 4;
/// Time for which a holder waits for a request of another worker.
const LONGEST_HOLD: Duration = Duration::from_micros(100);
const SHARING_AT_MOST: Duration = Duration::from_secs(6);

/// The phases of a run.
pub(super) struct Exercise<'a> {
    pub(super) witness: &'a Witness,
    pub(super) duration: Duration,
    pub(super) began: Instant,
}

impl Exercise<'_> {
    /// The first phase. Sharing says nothing about fewer than three workers.
    pub(super) fn first(&self) -> u64 {
        if self.witness.shape().workers() < 3 {
            CONTENTION
        } else {
            SHARING
        }
    }

    fn length(kind: u64) -> Duration {
        Duration::from_millis(match kind {
            CONTENTION => 40,
            HAND_OVER => 140,
            UNCONTENDED => 15,
            _ => 25,
        })
    }

    fn sharing(&self, lasted: Duration) -> Option<u64> {
        let workers = 0..self.witness.shape().workers() as u32;
        let turns = |worker| self.witness.turns(worker).load(Ordering::Relaxed);
        let mut sorted: Vec<u64> = workers.clone().map(turns).collect();
        sorted.sort_unstable();
        let (fewest, median) = (sorted[0], sorted[sorted.len() / 2]);
        if median >= TURNS && fewest * STARVED_BELOW <= median {
            let starved = workers.clone().min_by_key(|worker| turns(*worker));
            let each: Vec<String> = workers
                .filter(|worker| Some(*worker) != starved)
                .map(|worker| format!("worker {worker} {}", turns(worker)))
                .collect();
            let text = format!(
                "{} took the lock over from others {fewest} times in {:.1} s; in the same time and \
                 asking in the same way, {} times",
                starved.unwrap_or(0),
                lasted.as_secs_f64(),
                each.join(", ")
            );
            self.witness.notes().add(STARVED, &text);
            return Some(END);
        }
        let is_served = median >= TURNS_IF_SERVED && fewest * SERVED > median;
        (is_served || median >= TURNS_AT_MOST || lasted > SHARING_AT_MOST)
            .then_some(1 << 8 | CONTENTION)
    }
}

impl Phases for Exercise<'_> {
    fn next(&self, phase: u64, lasted: Duration) -> Option<u64> {
        let (round, kind) = (phase >> 8, phase & 0xff);
        if kind == SHARING {
            return self.sharing(lasted);
        }
        if lasted < Self::length(kind) {
            return None;
        }
        let wants_more = self.witness.handovers().load(Ordering::Relaxed) < HANDOVERS;
        let more = MORE_TIME.min(self.duration) * u32::from(wants_more);
        let is_over = round >= ROUNDS_AT_LEAST && self.began.elapsed() >= self.duration + more;
        Some(match kind {
            TIMEOUTS if is_over => END,
            TIMEOUTS => (round + 1) << 8 | CONTENTION,
            kind => round << 8 | (kind + 1),
        })
    }
}

/// The work of one thread until the last phase is over.
pub(super) fn work(worker: &Worker<'_>, lock: &dyn Lock) {
    let witness = worker.witness();
    loop {
        witness.wait_while_paused(worker.number());
        let phase = witness.phase();
        if phase == END || witness.is_dismissed() {
            return;
        }
        Performer {
            worker,
            lock,
            phase,
        }
        .run();
    }
}

/// A worker in one phase.
struct Performer<'a, 'w> {
    worker: &'a Worker<'w>,
    lock: &'a dyn Lock,
    phase: u64,
}

impl Performer<'_, '_> {
    fn is_over(&self) -> bool {
        let witness = self.worker.witness();
        witness.is_pause_requested() || witness.phase() != self.phase || witness.is_dismissed()
    }

    fn run(&self) {
        let witness = self.worker.witness();
        let workers = witness.shape().workers() as u64;
        let chosen = (self.phase >> 8) % workers == u64::from(self.worker.number());
        match (self.phase & 0xff, chosen) {
            (SHARING, _) => self.until_over(&|| self.share()),
            (CONTENTION, _) => self.until_over(&|| self.contend()),
            (HAND_OVER, _) if self.hands_over() => self.until_over(&|| self.hand_over()),
            (UNCONTENDED, true) => self.try_alone(),
            (TIMEOUTS, true) => {
                self.attempt(WaitLimit::Forever, &|| sleep(Duration::from_millis(20)));
            }
            (TIMEOUTS, false) => self.time_out(),
            _ => {}
        }
        while !self.is_over() {
            sleep(Duration::from_micros(100));
        }
    }

    /// Two workers at a time: more would only compete for the processors.
    fn hands_over(&self) -> bool {
        let workers = self.worker.witness().shape().workers() as u64;
        let from_chosen = u64::from(self.worker.number()) + workers - (self.phase >> 8) % workers;
        from_chosen % workers < 2
    }

    fn until_over(&self, call: &dyn Fn()) {
        let witness = self.worker.witness();
        while !self.is_over() && witness.room(self.worker.number()) > RESERVE {
            call();
        }
    }

    fn share(&self) {
        self.attempt(WaitLimit::Forever, &|| {
            self.worker.witness().record_turn(self.worker.number());
            sleep(SHARING_HOLD);
        });
        sleep(AWAY_AT_LEAST + Duration::from_micros(self.worker.random(AWAY_BEYOND)));
    }

    fn contend(&self) {
        let limit = match self.worker.random(10) {
            0..=5 => WaitLimit::Forever,
            6 | 7 => WaitLimit::NoWait,
            _ => WaitLimit::AtMost(Duration::from_micros(1 + self.worker.random(300))),
        };
        self.attempt(limit, &|| self.stay());
        if self.worker.random(4) == 0 {
            spin(Duration::from_micros(self.worker.random(20)));
        }
    }

    fn hand_over(&self) {
        while self.others_wait() {
            if self.is_over() {
                return;
            }
            yield_now();
        }
        self.attempt(WaitLimit::Forever, &|| {
            let until = Instant::now() + LONGEST_HOLD;
            while !self.others_wait() {
                if Instant::now() > until {
                    return;
                }
                yield_now();
            }
            let handovers = self.worker.witness().handovers();
            handovers.fetch_add(1, Ordering::Relaxed);
            // Usually until the waiter sleeps.
            spin(Duration::from_micros(self.worker.random(10)));
        });
    }

    fn others_wait(&self) -> bool {
        let witness = self.worker.witness();
        let is_waiting = |worker| witness.waiting(worker).load(Ordering::Relaxed) != 0;
        (0..witness.shape().workers() as u32).any(is_waiting)
    }

    fn stay(&self) {
        spin(Duration::from_micros(self.worker.random(20)));
    }

    fn try_alone(&self) {
        const TRIES: u64 = 300;
        for attempt in 0..TRIES {
            if self.is_over() {
                return;
            }
            let limit = match attempt % 8 {
                7 => WaitLimit::AtMost(Duration::from_millis(2)),
                _ => WaitLimit::NoWait,
            };
            self.attempt(limit, &|| ());
        }
    }

    fn time_out(&self) {
        while !self.is_over() {
            let limit = Duration::from_micros(2_000 + self.worker.random(4_000));
            if !self.attempt(WaitLimit::AtMost(limit), &|| ()) {
                return;
            }
        }
    }

    /// Requests the lock with this wait limit, or without a limit if the lock does not offer it.
    /// Returns `true` if the lock offers it.
    fn attempt(&self, limit: WaitLimit, section: &dyn Fn()) -> bool {
        const ENTRIES: u64 = 16;
        if self.worker.witness().room(self.worker.number()) < ENTRIES {
            return false;
        }
        let answered = self
            .worker
            .call_once(&|worker: &Worker<'_>| worker.attempt(self.lock, limit, section));
        match answered {
            Some(Err(error)) => panic!("the lock failed (wait limit {limit:?}): {error}"),
            Some(Ok(Answer::Unsupported)) => {
                if matches!(self.phase & 0xff, CONTENTION) {
                    self.attempt(WaitLimit::Forever, section);
                }
                false
            }
            _ => true,
        }
    }
}

fn spin(time: Duration) {
    let until = Instant::now() + time;
    while Instant::now() < until {
        std::hint::spin_loop();
    }
}
