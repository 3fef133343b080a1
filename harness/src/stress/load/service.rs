//! How long each slot waits while others get the lock: one that is passed over again and again is seen within seconds.
//!
//! Where whoever looks first gets the lock, waits differ much, but all slots draw theirs from the same hat. That all of the last waits of one slot
//! are far longer than three quarters of the others' is no chance.

use std::collections::VecDeque;

/// Waits that are looked at, of each slot.
const WAITS: usize = 8;
/// So many times as long as those of the others.
const LONGER: u64 = 3;
/// Waits of each of the others, at least.
const WAITS_OF_OTHERS: usize = 24;
/// Shorter ones are nobody's loss.
const AT_LEAST: u64 = 20_000_000;
/// Of the others, so many are kept.
const KEPT: usize = 256;

/// The last waits of each slot in which others got the lock.
#[derive(Debug)]
pub(super) struct Services {
    waits: Vec<VecDeque<Wait>>,
    sections: Vec<u64>,
}

/// One wait in which others got the lock.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Wait {
    pub(super) asked: u64,
    pub(super) time: u64,
    /// How often others got the lock meanwhile.
    pub(super) passed_over: u64,
}

/// One slot that is passed over.
#[derive(Debug, PartialEq)]
pub(super) struct Starved {
    pub(super) slot: usize,
    pub(super) sections: u64,
    /// What the others got, by slot.
    pub(super) others: Vec<(usize, u64)>,
    /// The longest of its waits.
    pub(super) longest: Wait,
    /// Its last waits were all as long as this, or longer.
    pub(super) shortest: u64,
    /// And three quarters of the others' shorter than this.
    pub(super) usual: u64,
}

impl Services {
    pub(super) fn new(slots: usize) -> Self {
        Services {
            waits: vec![VecDeque::new(); slots],
            sections: vec![0; slots],
        }
    }

    /// A slot came in; says so if it is starved.
    pub(super) fn entered(&mut self, slot: usize, wait: Wait) -> Option<Starved> {
        self.sections[slot] += 1;
        // Passed over by one that was about to come in anyway is no loss.
        if wait.passed_over < 2 {
            return None;
        }
        let waits = &mut self.waits[slot];
        waits.push_back(wait);
        if waits.len() > KEPT {
            waits.pop_front();
        }
        self.is_starved(slot)
    }

    fn is_starved(&self, slot: usize) -> Option<Starved> {
        let own = &self.waits[slot];
        let last = own.iter().skip(own.len().checked_sub(WAITS)?);
        let shortest = last.clone().map(|wait| wait.time).min()?;
        if shortest < AT_LEAST {
            return None;
        }
        let others = || (0..self.waits.len()).filter(|other| *other != slot);
        if self.waits.len() < 3 || others().any(|other| self.waits[other].len() < WAITS_OF_OTHERS) {
            return None;
        }
        // Of each of the others, lest one of them speaks for all.
        let usual = others()
            .map(|other| {
                let mut times: Vec<u64> = self.waits[other].iter().map(|wait| wait.time).collect();
                times.sort_unstable();
                times[times.len() * 3 / 4]
            })
            .max()?;
        if shortest <= LONGER * usual {
            return None;
        }
        Some(Starved {
            slot,
            sections: self.sections[slot],
            others: others()
                .map(|other| (other, self.sections[other]))
                .collect(),
            longest: *last.max_by_key(|wait| wait.time)?,
            shortest,
            usual,
        })
    }

    /// The machine stood still: what was seen until now may be its doing.
    pub(super) fn begin_anew(&mut self) {
        self.waits.iter_mut().for_each(VecDeque::clear);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Four slots that wait for so many milliseconds each time, half to one and a half of that.
    fn served(waits: [u64; 4]) -> Option<Starved> {
        let mut services = Services::new(4);
        let mut random = crate::model::Random::new(7);
        for round in 0..10_000 {
            for (slot, time) in waits.into_iter().enumerate() {
                if round % time == 0 {
                    let time = time * (500_000 + random.below(1_000_000));
                    let wait = Wait {
                        asked: round,
                        time,
                        passed_over: 2,
                    };
                    if let Some(starved) = services.entered(slot, wait) {
                        return Some(starved);
                    }
                }
            }
        }
        None
    }

    #[test]
    fn one_that_waits_ten_times_as_long_is_starved_and_one_that_waits_twice_as_long_is_not() {
        let starved = served([20, 20, 200, 20]).unwrap();
        assert_eq!(starved.slot, 2);
        assert!(
            starved.sections < 20 && starved.others[0].1 > 40,
            "{starved:?}"
        );
        assert_eq!(served([20, 20, 40, 20]), None);
        assert_eq!(served([200, 200, 200, 200]), None);
    }

    /// As fasteners: the longer one has waited, the more seldom it looks.
    #[test]
    fn waits_of_all_lengths_are_nobodys_loss_if_all_have_them() {
        for seed in 1..200 {
            let mut services = Services::new(4);
            let mut random = crate::model::Random::new(seed);
            for _ in 0..5_000 {
                let slot = random.below(4) as usize;
                let (mut time, mut delay) = (0, 10_000_000);
                while random.below(5) < 3 {
                    time += delay;
                    delay = (delay + 10_000_000).min(100_000_000);
                }
                let wait = Wait {
                    asked: 0,
                    time,
                    passed_over: 2,
                };
                assert_eq!(services.entered(slot, wait), None, "seed {seed}");
            }
        }
    }
}
