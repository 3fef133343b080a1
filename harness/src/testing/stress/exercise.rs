//! Asks a lock for everything that it offers, in acts, with a rest between two of them.
//!
//! * *Shares*: all ask alike, hold the lock for a while and stay away for longer, so that whoever waits can get it.
//! * *Crowd*: all at once, with every kind of limit.
//! * *Manners*: whoever sees another wait does not ask before that one was answered. Nobody's call repairs what another's release forgot.
//! * *Alone*: one tries, and nobody else has to do with the lock.
//! * *In vain*: one holds the lock, the others wait for less long than that.

use std::sync::atomic::Ordering;
use std::thread::{sleep, yield_now};
use std::time::{Duration, Instant};

use super::Worker;
use crate::testing::forking::{Acts, END};
use crate::testing::lock::{Answer, Lock, WaitLimit};
use crate::testing::witness::Witness;

const SHARES: u64 = 1;
const CROWD: u64 = 2;
const MANNERS: u64 = 3;
const ALONE: u64 = 4;
const IN_VAIN: u64 = 5;

/// The rule: one worker gets the lock far less often than the others, which ask in the same way.
pub(super) const STARVED: &str = "starved";

/// So much of a log is kept free for the acts that need few entries.
const RESERVE: u64 = 1 << 12;
/// All together want to hold it for longer than there is time, and nobody comes back before a waiter could have been woken.
const HOLD_OF_A_SHARE: Duration = Duration::from_millis(3);
const AWAY_AT_LEAST: Duration = Duration::from_millis(1);
const AWAY_BEYOND: u64 = 2_000;
/// So often a release has had to wake another, when that was tried enough; and for how long more that may be tried.
const HANDOVERS: u64 = 60_000;
const MORE_TIME: Duration = Duration::from_secs(3);
/// So often most workers have taken the lock over from others before one is said to have its share, or to starve.
const TURNS_THAT_DO: u64 = 10;
const TURNS: u64 = 40;
const TURNS_AT_MOST: u64 = 120;
/// One has its share with more than half of what the median has, and starves with a quarter or less: where 40 are expected, ten are
/// no chance (Poisson: 1e-8).
const HAS_ITS_SHARE: u64 = 2;
const STARVES: u64 = 4;
/// Of the acts but the first, however slow the machine is.
const ROUNDS_AT_LEAST: u64 = 4;
/// So long a holder waits for another to ask.
const LONGEST_COURTESY: Duration = Duration::from_micros(100);
const SHARES_AT_MOST: Duration = Duration::from_secs(6);

/// The acts of a run, and what was seen of the shares.
pub(super) struct Exercise<'a> {
    pub(super) witness: &'a Witness,
    pub(super) duration: Duration,
    pub(super) began: Instant,
}

impl Exercise<'_> {
    /// The first act. Shares say nothing of fewer than three.
    pub(super) fn first(&self) -> u64 {
        if self.witness.shape().workers() < 3 {
            CROWD
        } else {
            SHARES
        }
    }

    fn length(kind: u64) -> Duration {
        Duration::from_millis(match kind {
            CROWD => 40,
            MANNERS => 140,
            ALONE => 15,
            _ => 25,
        })
    }

    fn shares(&self, lasted: Duration) -> Option<u64> {
        let workers = 0..self.witness.shape().workers() as u32;
        let turns = |worker| self.witness.turns(worker).load(Ordering::Relaxed);
        let mut sorted: Vec<u64> = workers.clone().map(turns).collect();
        sorted.sort_unstable();
        let (fewest, median) = (sorted[0], sorted[sorted.len() / 2]);
        if median >= TURNS && fewest * STARVES <= median {
            let starved = workers.clone().min_by_key(|worker| turns(*worker));
            let each: Vec<String> = workers
                .filter(|worker| Some(*worker) != starved)
                .map(|worker| format!("worker {worker} {}", turns(worker)))
                .collect();
            let text = format!(
                "{} took the lock over from others {fewest} times in {:.1} s, and in the same time, asking in the same way, {} times",
                starved.unwrap_or(0),
                lasted.as_secs_f64(),
                each.join(", ")
            );
            self.witness.notes().add(STARVED, &text);
            return Some(END);
        }
        let has_its_share = median >= TURNS_THAT_DO && fewest * HAS_ITS_SHARE > median;
        (has_its_share || median >= TURNS_AT_MOST || lasted > SHARES_AT_MOST)
            .then_some(1 << 8 | CROWD)
    }
}

impl Acts for Exercise<'_> {
    fn after(&self, act: u64, lasted: Duration) -> Option<u64> {
        let (round, kind) = (act >> 8, act & 0xff);
        if kind == SHARES {
            return self.shares(lasted);
        }
        if lasted < Self::length(kind) {
            return None;
        }
        let wants_more = self.witness.handovers().load(Ordering::Relaxed) < HANDOVERS;
        let more = MORE_TIME.min(self.duration) * u32::from(wants_more);
        let is_over = round >= ROUNDS_AT_LEAST && self.began.elapsed() >= self.duration + more;
        Some(match kind {
            IN_VAIN if is_over => END,
            IN_VAIN => (round + 1) << 8 | CROWD,
            kind => round << 8 | (kind + 1),
        })
    }
}

/// What one thread does, until the acts are over.
pub(super) fn work(worker: &Worker<'_>, lock: &dyn Lock) {
    let witness = worker.witness();
    loop {
        witness.rest(worker.number());
        let act = witness.act();
        if act == END || witness.is_dismissed() {
            return;
        }
        let player = Player { worker, lock, act };
        player.plays();
    }
}

struct Player<'a, 'w> {
    worker: &'a Worker<'w>,
    lock: &'a dyn Lock,
    act: u64,
}

impl Player<'_, '_> {
    fn is_over(&self) -> bool {
        let witness = self.worker.witness();
        witness.wants_rest() || witness.act() != self.act || witness.is_dismissed()
    }

    fn plays(&self) {
        let witness = self.worker.witness();
        let workers = witness.shape().workers() as u64;
        let chosen = (self.act >> 8) % workers == u64::from(self.worker.number());
        match (self.act & 0xff, chosen) {
            (SHARES, _) => self.until_it_is_over(&|| self.shares()),
            (CROWD, _) => self.until_it_is_over(&|| self.asks_somehow()),
            (MANNERS, _) if self.has_manners() => self.until_it_is_over(&|| self.stands_back()),
            (ALONE, true) => self.tries_alone(),
            (IN_VAIN, true) => {
                self.asks(WaitLimit::Forever, &|| sleep(Duration::from_millis(20)));
            }
            (IN_VAIN, false) => self.waits_in_vain(),
            _ => {}
        }
        while !self.is_over() {
            sleep(Duration::from_micros(100));
        }
    }

    /// Two at a time: more only take the processors from each other.
    fn has_manners(&self) -> bool {
        let workers = self.worker.witness().shape().workers() as u64;
        let from_chosen = u64::from(self.worker.number()) + workers - (self.act >> 8) % workers;
        from_chosen % workers < 2
    }

    fn until_it_is_over(&self, call: &dyn Fn()) {
        let witness = self.worker.witness();
        while !self.is_over() && witness.room(self.worker.number()) > RESERVE {
            call();
        }
    }

    fn shares(&self) {
        self.asks(WaitLimit::Forever, &|| {
            self.worker.witness().takes_its_turn(self.worker.number());
            sleep(HOLD_OF_A_SHARE);
        });
        sleep(AWAY_AT_LEAST + Duration::from_micros(self.worker.random(AWAY_BEYOND)));
    }

    fn asks_somehow(&self) {
        let limit = match self.worker.random(10) {
            0..=5 => WaitLimit::Forever,
            6 | 7 => WaitLimit::NoWait,
            _ => WaitLimit::AtMost(Duration::from_micros(1 + self.worker.random(300))),
        };
        self.asks(limit, &|| self.stays());
        if self.worker.random(4) == 0 {
            spin(Duration::from_micros(self.worker.random(20)));
        }
    }

    fn stands_back(&self) {
        while self.others_wait() {
            if self.is_over() {
                return;
            }
            yield_now();
        }
        self.asks(WaitLimit::Forever, &|| {
            let until = Instant::now() + LONGEST_COURTESY;
            while !self.others_wait() {
                if Instant::now() > until {
                    return;
                }
                yield_now();
            }
            let handovers = self.worker.witness().handovers();
            handovers.fetch_add(1, Ordering::Relaxed);
            // Until it sleeps, mostly.
            spin(Duration::from_micros(self.worker.random(10)));
        });
    }

    fn others_wait(&self) -> bool {
        let witness = self.worker.witness();
        let is_odd = |worker| {
            !witness
                .asking(worker)
                .load(Ordering::Relaxed)
                .is_multiple_of(2)
        };
        (0..witness.shape().workers() as u32).any(is_odd)
    }

    fn stays(&self) {
        spin(Duration::from_micros(self.worker.random(20)));
    }

    fn tries_alone(&self) {
        const TRIES: u64 = 300;
        for attempt in 0..TRIES {
            if self.is_over() {
                return;
            }
            let limit = match attempt % 8 {
                7 => WaitLimit::AtMost(Duration::from_millis(2)),
                _ => WaitLimit::NoWait,
            };
            self.asks(limit, &|| ());
        }
    }

    fn waits_in_vain(&self) {
        while !self.is_over() {
            let limit = Duration::from_micros(2_000 + self.worker.random(4_000));
            if !self.asks(WaitLimit::AtMost(limit), &|| ()) {
                return;
            }
        }
    }

    /// Asks with this limit, or with none that ends if the lock does not offer it; whether it does.
    fn asks(&self, limit: WaitLimit, section: &dyn Fn()) -> bool {
        const ENTRIES: u64 = 16;
        if self.worker.witness().room(self.worker.number()) < ENTRIES {
            return false;
        }
        let answered = self
            .worker
            .call_of(&|worker: &Worker<'_>| worker.attempt(self.lock, limit, section));
        match answered {
            Some(Err(error)) => panic!("the lock failed, asked with {limit:?}: {error}"),
            Some(Ok(Answer::Unsupported)) => {
                if matches!(self.act & 0xff, CROWD) {
                    self.asks(WaitLimit::Forever, section);
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
