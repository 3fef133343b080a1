//! Who holds the lock, and which holds overlapped: pure, fed with what was read and written, and when.
//!
//! *Never wrong* rests on three rules. A hold lasts from when `acquired` was read, after the lock was taken, until `release` was written, before it
//! was given back. A worker that died by itself may have died, and freed the lock, before its last words were read: an overlap counts only if
//! both holders gave a sign of life after it. And a hold that lasted long beyond what was asked of it may have outlived a lease.

use std::collections::HashMap;
use std::time::Duration;

use crate::protocol::Verb;

/// A slot of a worker, numbered over all workers that ever lived in this scenario.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Who {
    /// The place among the workers that run at the same time.
    pub place: usize,
    /// The slot.
    pub slot: usize,
    /// Which process in that place.
    pub life: u32,
}

/// One stay in the section. Times are nanoseconds since the scenario began.
#[derive(Clone, Debug)]
pub struct Hold {
    pub who: Who,
    pub shared: bool,
    pub from: u64,
    pub until: Option<u64>,
    /// Whether the holder was stopped, or the machine stood still, since it asked.
    pub paused: bool,
}

/// Two in the section at once.
#[derive(Clone, Debug)]
pub struct Overlap {
    pub first: Hold,
    pub second: Hold,
    pub at: u64,
    /// The first holder may have been there for longer than the lock's lease.
    pub lease: bool,
}

impl Overlap {
    /// Until when both were in, as far as is known.
    pub fn until(&self) -> Option<u64> {
        match (self.first.until, self.second.until) {
            (Some(first), Some(second)) => Some(first.min(second)),
            (first, second) => first.or(second),
        }
    }
}

/// A duration as the judge counts it.
pub fn nanoseconds(duration: Duration) -> u64 {
    duration.as_nanos() as u64
}

/// When a hold may have outlived the lock's lease.
#[derive(Clone, Copy, Debug)]
pub struct LeaseRule {
    /// The lease, if it is known.
    pub lease: Option<u64>,
}

impl LeaseRule {
    /// Locks renew a lease at the latest after half of it, so what is older than that may be about to end.
    pub fn may_be_over(self, age: u64, paused: bool) -> bool {
        const LONG: u64 = 500_000_000;
        match self.lease {
            Some(lease) => age >= lease / 2,
            None => paused || age >= LONG,
        }
    }
}

#[derive(Debug)]
struct Tracked {
    hold: Hold,
    proved: bool,
    candidates: u32,
}

/// See the module.
#[derive(Debug)]
pub struct Judge {
    rule: LeaseRule,
    inside: Vec<(Who, u64)>,
    holds: HashMap<u64, Tracked>,
    /// The hold of each slot that has not answered its release yet.
    open: HashMap<Who, u64>,
    candidates: Vec<(u64, u64, u64, bool)>,
    next: u64,
    races: u64,
    expiries: u64,
    first: Option<Overlap>,
    first_expiry: Option<Overlap>,
}

impl Judge {
    pub fn new(rule: LeaseRule) -> Self {
        Judge {
            rule,
            inside: Vec::new(),
            holds: HashMap::new(),
            open: HashMap::new(),
            candidates: Vec::new(),
            next: 0,
            races: 0,
            expiries: 0,
            first: None,
            first_expiry: None,
        }
    }

    /// `acquired` was read. Says whether somebody else was in.
    pub fn entered(&mut self, who: Who, verb: Verb, at: u64, paused: bool) -> bool {
        let (id, shared) = (self.next, verb.is_shared());
        self.next += 1;
        let hold = Hold {
            who,
            shared,
            from: at,
            until: None,
            paused,
        };
        let mut overlaps = 0;
        for &(_, other) in &self.inside {
            let Some(tracked) = self.holds.get_mut(&other) else {
                continue;
            };
            if shared && tracked.hold.shared {
                continue;
            }
            let age = at - tracked.hold.from;
            let lease = self.rule.may_be_over(age, tracked.hold.paused);
            tracked.candidates += 1;
            overlaps += 1;
            self.candidates.push((other, id, at, lease));
        }
        self.holds.insert(
            id,
            Tracked {
                hold,
                proved: false,
                candidates: overlaps,
            },
        );
        self.inside.push((who, id));
        self.open.insert(who, id);
        overlaps > 0
    }

    /// `release` is about to be written, or the holder about to be killed.
    pub fn left(&mut self, who: Who, at: u64) {
        if let Some(place) = self.inside.iter().position(|(inside, _)| *inside == who) {
            let (_, id) = self.inside.swap_remove(place);
            if let Some(tracked) = self.holds.get_mut(&id) {
                tracked.hold.until = Some(at);
            }
        }
    }

    /// The slot gave a sign of life after it had left: it had been alive for the whole hold.
    pub fn proved(&mut self, who: Who) {
        if let Some(id) = self.open.remove(&who) {
            if let Some(tracked) = self.holds.get_mut(&id) {
                tracked.proved = true;
            }
            self.settle();
            self.forget(id);
        }
    }

    /// Nobody knows when the hold of this slot ended: the worker died by itself, or cannot be trusted.
    pub fn void(&mut self, who: Who) {
        self.inside.retain(|(inside, _)| *inside != who);
        if let Some(id) = self.open.remove(&who) {
            let touches = |c: &(u64, u64, u64, bool)| c.0 == id || c.1 == id;
            let dropped: Vec<_> = self.candidates.iter().copied().filter(touches).collect();
            self.candidates.retain(|c| !touches(c));
            for (first, second, ..) in dropped {
                self.uncount(first);
                self.uncount(second);
            }
            self.holds.remove(&id);
        }
    }

    /// The library itself told the holder that it has lost the lock: whoever came in before that is excused.
    pub fn lost(&mut self, who: Who, at: u64) {
        if let Some(id) = self.open.get(&who) {
            for candidate in &mut self.candidates {
                candidate.3 |= candidate.0 == *id || candidate.1 == *id;
            }
        }
        self.left(who, at);
        self.proved(who);
    }

    /// Whether the hold that this slot gives back lasted so long that a lease of the known length may have run out.
    pub fn may_have_lost(&self, who: Who) -> bool {
        let hold = self.open.get(&who).and_then(|id| self.holds.get(id));
        self.rule.lease.is_some()
            && hold.is_some_and(|tracked| {
                let Hold {
                    from,
                    until,
                    paused,
                    ..
                } = tracked.hold;
                until.is_some_and(|until| self.rule.may_be_over(until - from, paused))
            })
    }

    /// The holder was stopped for a while, or nobody knows for how long anything lasted.
    pub fn paused(&mut self, who: Option<Who>) {
        for (inside, id) in &self.inside {
            if who.is_none_or(|who| who == *inside)
                && let Some(tracked) = self.holds.get_mut(id)
            {
                tracked.hold.paused = true;
            }
        }
    }

    fn settle(&mut self) {
        let candidates = std::mem::take(&mut self.candidates);
        for candidate @ (first, second, at, lease) in candidates {
            let (Some(one), Some(other)) = (self.holds.get(&first), self.holds.get(&second)) else {
                continue;
            };
            if !(one.proved && other.proved) {
                self.candidates.push(candidate);
                continue;
            }
            let overlap = || Overlap {
                first: one.hold.clone(),
                second: other.hold.clone(),
                at,
                lease,
            };
            let (count, earliest) = match lease {
                true => (&mut self.expiries, &mut self.first_expiry),
                false => (&mut self.races, &mut self.first),
            };
            *count += 1;
            if earliest.as_ref().is_none_or(|earliest| at < earliest.at) {
                *earliest = Some(overlap());
            }
            self.uncount(first);
            self.uncount(second);
        }
    }

    fn uncount(&mut self, id: u64) {
        if let Some(tracked) = self.holds.get_mut(&id) {
            tracked.candidates -= 1;
            self.forget(id);
        }
    }

    fn forget(&mut self, id: u64) {
        if self
            .holds
            .get(&id)
            .is_some_and(|tracked| tracked.proved && tracked.candidates == 0)
        {
            self.holds.remove(&id);
        }
    }

    /// Pairs that were in at once, without an excuse.
    pub fn races(&self) -> u64 {
        self.races
    }

    /// Pairs of which the first may have outlived its lease.
    pub fn expiries(&self) -> u64 {
        self.expiries
    }

    /// The earliest race, else the earliest expiry.
    pub fn first(&self) -> Option<&Overlap> {
        self.first.as_ref().or(self.first_expiry.as_ref())
    }

    /// Whether anybody is in.
    pub fn somebody_is_in(&self) -> bool {
        !self.inside.is_empty()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn who(place: usize) -> Who {
        Who {
            place,
            slot: 0,
            life: 0,
        }
    }

    fn judge() -> Judge {
        Judge::new(LeaseRule { lease: None })
    }

    #[test]
    fn two_that_live_on_overlapped() {
        let mut judge = judge();
        assert!(!judge.entered(who(0), Verb::Acquire, 10, false));
        assert!(judge.entered(who(1), Verb::Acquire, 20, false));
        judge.left(who(0), 30);
        judge.proved(who(0));
        assert_eq!(judge.races(), 0, "the second may be dead");
        judge.left(who(1), 40);
        judge.proved(who(1));
        assert_eq!(judge.races(), 1);
        let first = judge.first().unwrap();
        assert_eq!(
            (first.at, first.until(), first.lease),
            (20, Some(30), false)
        );
        assert!(judge.holds.is_empty() && judge.candidates.is_empty());
    }

    #[test]
    fn a_holder_that_died_by_itself_proves_nothing_whoever_was_read_first() {
        for dead in [0, 1] {
            let mut judge = judge();
            judge.entered(who(0), Verb::Acquire, 10, false);
            judge.entered(who(1), Verb::Acquire, 20, false);
            judge.void(who(dead));
            judge.left(who(1 - dead), 30);
            judge.proved(who(1 - dead));
            assert_eq!(judge.races() + judge.expiries(), 0);
            assert!(judge.holds.is_empty() && judge.candidates.is_empty());
        }
    }

    #[test]
    fn a_holder_that_was_told_of_its_loss_is_no_race() {
        let mut judge = judge();
        judge.entered(who(0), Verb::Acquire, 10, false);
        judge.entered(who(1), Verb::Acquire, 20, false);
        judge.lost(who(0), 30);
        judge.left(who(1), 40);
        judge.proved(who(1));
        assert_eq!((judge.races(), judge.expiries()), (0, 1));
        assert!(judge.first().unwrap().lease);
    }

    #[test]
    fn readers_share_and_writers_do_not() {
        let mut judge = judge();
        for reader in 0..3 {
            assert!(!judge.entered(who(reader), Verb::Read, 10, false));
        }
        assert!(judge.entered(who(3), Verb::Try, 11, false));
        for place in 0..4 {
            judge.left(who(place), 20);
            judge.proved(who(place));
        }
        assert_eq!(judge.races(), 3);
        assert!(judge.holds.is_empty());
    }

    #[test]
    fn a_hold_beyond_half_the_lease_is_no_race() {
        for (lease, age, paused, races) in [
            (None, 400_000_000, false, 1),
            (None, 600_000_000, false, 0),
            (None, 1, true, 0),
            (Some(1_000_000_000), 400_000_000, true, 1),
            (Some(1_000_000_000), 600_000_000, true, 0),
        ] {
            let mut judge = Judge::new(LeaseRule { lease });
            judge.entered(who(0), Verb::Acquire, 0, false);
            if paused {
                judge.paused(Some(who(0)));
            }
            judge.entered(who(1), Verb::Acquire, age, false);
            for place in [0, 1] {
                judge.left(who(place), age + 1);
                judge.proved(who(place));
            }
            assert_eq!((judge.races(), judge.expiries()), (races, 1 - races));
        }
    }

    #[test]
    fn a_release_may_fail_when_the_lease_that_was_named_is_over() {
        for (lease, age, lost) in [
            (Some(1_000_000_000), 600_000_000, true),
            (Some(1_000_000_000), 400_000_000, false),
            (None, 600_000_000, false),
        ] {
            let mut judge = Judge::new(LeaseRule { lease });
            judge.entered(who(0), Verb::Acquire, 0, false);
            assert!(!judge.may_have_lost(who(0)), "it is still in");
            judge.left(who(0), age);
            assert_eq!(judge.may_have_lost(who(0)), lost);
            judge.proved(who(0));
            assert!(!judge.may_have_lost(who(0)));
        }
    }
}
