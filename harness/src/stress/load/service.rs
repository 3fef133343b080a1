//! The waits of each slot while others get the lock.
//!
//! With a polling lock, waits vary widely, but all slots draw from the same distribution. If all
//! recent waits of one slot are far longer than three quarters of the others', that is not chance.

use std::collections::VecDeque;

/// Number of last waits of a slot that must all be long.
const WAITS: usize = 8;
/// Factor by which they exceed the waits of the others.
const LONGER: u64 = 3;
/// Least number of waits of every other slot.
const WAITS_OF_OTHERS: usize = 24;
/// Shortest wait that counts as a loss, in nanoseconds.
pub(super) const AT_LEAST: u64 = 20_000_000;
/// Number of waits kept for each slot.
const KEPT: usize = 256;

/// The last waits of each slot in which others got the lock.
#[derive(Debug)]
pub(super) struct Services {
    waits: Vec<VecDeque<Wait>>,
    sections: Vec<u64>,
}

/// A wait in which others got the lock.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Wait {
    pub(super) asked: u64,
    pub(super) time: u64,
    /// Number of acquisitions by others meanwhile.
    pub(super) passed_over: u64,
}

/// A slot that is passed over.
#[derive(Debug, PartialEq)]
pub(super) struct Starved {
    pub(super) slot: usize,
    pub(super) sections: u64,
    /// Sections of the other slots, by slot.
    pub(super) others: Vec<(usize, u64)>,
    /// The longest of its last waits.
    pub(super) longest: Wait,
    /// The shortest of its last waits.
    pub(super) shortest: u64,
    /// Upper quartile of the others' waits.
    pub(super) usual: u64,
}

impl Services {
    pub(super) fn new(slots: usize) -> Self {
        Services {
            waits: vec![VecDeque::new(); slots],
            sections: vec![0; slots],
        }
    }

    /// Adds a wait that ended with the lock. Returns the slot if it is starved.
    pub(super) fn entered(&mut self, slot: usize, wait: Wait) -> Option<Starved> {
        self.sections[slot] += 1;
        // Being passed over once, by a slot that was about to enter anyway, is no loss.
        if wait.passed_over < 2 {
            return None;
        }
        let waits = &mut self.waits[slot];
        waits.push_back(wait);
        if waits.len() > KEPT {
            waits.pop_front();
        }
        self.starvation(slot)
    }

    fn starvation(&self, slot: usize) -> Option<Starved> {
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
        // The largest quartile, so that one slot does not speak for all others.
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

    /// Forgets all waits: a pause of the machine may have caused them.
    pub(super) fn reset(&mut self) {
        self.waits.iter_mut().for_each(VecDeque::clear);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Four slots with waits of half to one and a half times these milliseconds.
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
    fn waits_ten_times_as_long_are_starvation_and_waits_twice_as_long_are_not() {
        let starved = served([20, 20, 200, 20]).unwrap();
        assert_eq!(starved.slot, 2);
        assert!(
            starved.sections < 20 && starved.others[0].1 > 40,
            "{starved:?}"
        );
        assert_eq!(served([20, 20, 40, 20]), None);
        assert_eq!(served([200, 200, 200, 200]), None);
    }

    /// Like fasteners, which polls less often the longer it waits.
    #[test]
    fn waits_of_all_lengths_are_no_starvation_if_all_slots_have_them() {
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
