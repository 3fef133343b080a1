//! The judge of holds: finds overlaps from the times of reads and writes, without I/O.
//!
//! *Broken* is never wrong, by three rules. A hold lasts from when `acquired` was read, after the
//! worker acquired the lock, until `release` was written, before the worker released it. An overlap
//! counts only if both holders answered after it: a worker that died by itself may have died, and
//! freed the lock, before its last words were read. A hold that lasted far longer than requested
//! may have outlived a lease.

mod fence;
mod hold;

use std::collections::HashMap;

use crate::protocol::Verb;

pub use fence::{BrokenFence, Fence, FencedSection};
pub use hold::{Hold, LeaseRule, Overlap, SlotId, nanoseconds};

#[derive(Debug)]
struct Tracked {
    hold: Hold,
    /// Its section, if it has a fencing token, and the time of its request.
    fenced: Option<(FencedSection<SlotId>, u64)>,
    confirmed: bool,
    candidates: u32,
}

/// Holds and overlaps of one scenario.
#[derive(Debug)]
pub struct Judge {
    rule: LeaseRule,
    inside: Vec<(SlotId, u64)>,
    holds: HashMap<u64, Tracked>,
    /// The hold of each slot that has not answered its release yet.
    open: HashMap<SlotId, u64>,
    candidates: Vec<(u64, u64, u64, bool)>,
    next: u64,
    races: u64,
    expiries: u64,
    first: Option<Overlap>,
    first_expiry: Option<Overlap>,
    fence: Fence<SlotId>,
    /// Broken fences, each with the later hold, which is not confirmed yet.
    suspected_fences: Vec<(u64, BrokenFence<SlotId>)>,
    broken_fence: Option<BrokenFence<SlotId>>,
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
            fence: Fence::new(),
            suspected_fences: Vec::new(),
            broken_fence: None,
        }
    }

    /// Begins a hold: `acquired` was read. Returns `true` if another slot holds the lock.
    pub fn entered(&mut self, slot: SlotId, verb: Verb, at: u64, paused: bool) -> bool {
        let (id, shared) = (self.next, verb.is_shared());
        self.next += 1;
        let hold = Hold {
            holder: slot,
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
                fenced: None,
                confirmed: false,
                candidates: overlaps,
            },
        );
        self.inside.push((slot, id));
        self.open.insert(slot, id);
        overlaps > 0
    }

    /// Records the fencing token of the hold that a slot has just begun, which it had requested at a
    /// time.
    pub fn fenced(&mut self, slot: SlotId, token: u64, requested: u64) {
        let Some(&id) = self.open.get(&slot) else {
            return;
        };
        let Some(Hold {
            shared: false,
            from: at,
            paused,
            ..
        }) = self.holds.get(&id).map(|tracked| tracked.hold.clone())
        else {
            return;
        };
        let rule = self.rule;
        // A lease counts from the request.
        let is_valid = !rule.may_be_over(at - requested, paused);
        let others = self.inside.iter().filter(|(_, other)| *other != id);
        let others = others.filter_map(|(_, other)| self.holds.get(other));
        let valid = others.filter_map(|tracked| {
            let (section, requested) = tracked.fenced?;
            let may_be_over = rule.may_be_over(at - requested, tracked.hold.paused);
            (!may_be_over).then_some(section)
        });
        let section = FencedSection {
            holder: slot,
            token,
            began: at,
        };
        let broken = self.fence.begins(section, requested, is_valid, valid);
        if let Some(broken) = broken
            && let Some(&later) = self.open.get(&broken.later.holder)
        {
            self.suspected_fences.push((later, broken));
        }
        if let Some(tracked) = self.holds.get_mut(&id) {
            tracked.fenced = Some((section, requested));
        }
    }

    /// Ends a hold: `release` is about to be written, or the holder to be killed.
    pub fn left(&mut self, slot: SlotId, at: u64) {
        if let Some(index) = self.inside.iter().position(|(inside, _)| *inside == slot) {
            let (_, id) = self.inside.swap_remove(index);
            if let Some(tracked) = self.holds.get_mut(&id) {
                tracked.hold.until = Some(at);
            }
        }
    }

    /// Confirms the last hold of a slot: the worker answered after its end, so it lived throughout.
    pub fn confirm(&mut self, slot: SlotId) {
        if let Some(id) = self.open.remove(&slot) {
            if let Some(tracked) = self.holds.get_mut(&id) {
                tracked.confirmed = true;
            }
            let confirmed = self
                .suspected_fences
                .extract_if(.., |(later, _)| *later == id);
            if let Some((_, broken)) = confirmed.last() {
                self.broken_fence.get_or_insert(broken);
            }
            self.count_confirmed();
            self.forget(id);
        }
    }

    /// Discards the open hold of a slot, since its end is unknown: the worker died by itself, or
    /// its answers are wrong.
    pub fn discard(&mut self, slot: SlotId) {
        self.inside.retain(|(inside, _)| *inside != slot);
        if let Some(id) = self.open.remove(&slot) {
            let touches = |c: &(u64, u64, u64, bool)| c.0 == id || c.1 == id;
            let dropped: Vec<_> = self.candidates.iter().copied().filter(touches).collect();
            self.candidates.retain(|c| !touches(c));
            for (first, second, ..) in dropped {
                self.drop_candidate(first);
                self.drop_candidate(second);
            }
            self.suspected_fences.retain(|(later, _)| *later != id);
            self.holds.remove(&id);
        }
    }

    /// Ends a hold that the library reported as lost; overlaps before that are excused.
    pub fn lost(&mut self, slot: SlotId, at: u64) {
        if let Some(id) = self.open.get(&slot) {
            for candidate in &mut self.candidates {
                candidate.3 |= candidate.0 == *id || candidate.1 == *id;
            }
        }
        self.left(slot, at);
        self.confirm(slot);
    }

    /// Returns `true` if the hold that this slot has ended may have outlived the known lease.
    pub fn may_have_lost(&self, slot: SlotId) -> bool {
        let hold = self.open.get(&slot).and_then(|id| self.holds.get(id));
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

    /// Marks the hold of a slot, or every hold, as paused: its length is unknown.
    pub fn paused(&mut self, slot: Option<SlotId>) {
        for (inside, id) in &self.inside {
            if slot.is_none_or(|slot| slot == *inside)
                && let Some(tracked) = self.holds.get_mut(id)
            {
                tracked.hold.paused = true;
            }
        }
    }

    fn count_confirmed(&mut self) {
        let candidates = std::mem::take(&mut self.candidates);
        for candidate @ (first, second, at, lease) in candidates {
            let (Some(one), Some(other)) = (self.holds.get(&first), self.holds.get(&second)) else {
                continue;
            };
            if !(one.confirmed && other.confirmed) {
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
            self.drop_candidate(first);
            self.drop_candidate(second);
        }
    }

    fn drop_candidate(&mut self, id: u64) {
        if let Some(tracked) = self.holds.get_mut(&id) {
            tracked.candidates -= 1;
            self.forget(id);
        }
    }

    fn forget(&mut self, id: u64) {
        if self
            .holds
            .get(&id)
            .is_some_and(|tracked| tracked.confirmed && tracked.candidates == 0)
        {
            self.holds.remove(&id);
        }
    }

    /// Number of overlaps without an excuse.
    pub fn races(&self) -> u64 {
        self.races
    }

    /// Number of overlaps of which the first holder may have outlived its lease.
    pub fn expiries(&self) -> u64 {
        self.expiries
    }

    /// The first pair of holds whose fencing tokens did not grow.
    pub fn broken_fence(&self) -> Option<&BrokenFence<SlotId>> {
        self.broken_fence.as_ref()
    }

    /// The earliest overlap without an excuse, otherwise the earliest with one.
    pub fn first(&self) -> Option<&Overlap> {
        self.first.as_ref().or(self.first_expiry.as_ref())
    }

    /// Returns `true` if any slot holds the lock.
    pub fn is_held(&self) -> bool {
        !self.inside.is_empty()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn slot(worker: usize) -> SlotId {
        SlotId {
            worker,
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
        assert!(!judge.entered(slot(0), Verb::Acquire, 10, false));
        assert!(judge.entered(slot(1), Verb::Acquire, 20, false));
        judge.left(slot(0), 30);
        judge.confirm(slot(0));
        assert_eq!(judge.races(), 0, "the second may be dead");
        judge.left(slot(1), 40);
        judge.confirm(slot(1));
        assert_eq!(judge.races(), 1);
        let first = judge.first().unwrap();
        assert_eq!(
            (first.at, first.until(), first.lease),
            (20, Some(30), false)
        );
        assert!(judge.holds.is_empty() && judge.candidates.is_empty());
    }

    #[test]
    fn a_holder_that_died_by_itself_proves_nothing_in_either_order() {
        for dead in [0, 1] {
            let mut judge = judge();
            judge.entered(slot(0), Verb::Acquire, 10, false);
            judge.entered(slot(1), Verb::Acquire, 20, false);
            judge.discard(slot(dead));
            judge.left(slot(1 - dead), 30);
            judge.confirm(slot(1 - dead));
            assert_eq!(judge.races() + judge.expiries(), 0);
            assert!(judge.holds.is_empty() && judge.candidates.is_empty());
        }
    }

    #[test]
    fn a_loss_that_the_library_reports_is_no_race() {
        let mut judge = judge();
        judge.entered(slot(0), Verb::Acquire, 10, false);
        judge.entered(slot(1), Verb::Acquire, 20, false);
        judge.lost(slot(0), 30);
        judge.left(slot(1), 40);
        judge.confirm(slot(1));
        assert_eq!((judge.races(), judge.expiries()), (0, 1));
        assert!(judge.first().unwrap().lease);
    }

    #[test]
    fn a_token_that_does_not_grow_breaks_the_fence_if_its_holder_lives() {
        let long = 600_000_000;
        for (tokens, lives, requested, expected) in [
            ([1, 2], true, 25, None),
            ([2, 2], true, 25, Some((2, 2))),
            ([2, 1], true, 15, Some((2, 1))),
            // It may have died before the other acquired the lock.
            ([2, 1], false, 15, None),
        ] {
            let mut judge = judge();
            for (worker, at, requested) in [(0, 20, 10), (1, 30, requested)] {
                judge.entered(slot(worker), Verb::Acquire, at, false);
                judge.fenced(slot(worker), tokens[worker], requested);
                judge.left(slot(worker), at + 1);
                match worker == 0 || lives {
                    true => judge.confirm(slot(worker)),
                    false => judge.discard(slot(worker)),
                }
            }
            let found = judge.broken_fence();
            let found = found.map(|broken| (broken.earlier.token, broken.later.token));
            assert_eq!(found, expected, "{tokens:?}");
            assert!(judge.holds.is_empty() && judge.suspected_fences.is_empty());
        }
        // A hold that may have outlived its lease may have been acquired first.
        for (token, broken) in [(1, false), (3, true)] {
            let mut judge = judge();
            judge.entered(slot(1), Verb::Acquire, long, false);
            judge.fenced(slot(1), 2, long - 1);
            judge.entered(slot(0), Verb::Acquire, long + 1, false);
            judge.fenced(slot(0), token, 0);
            for worker in [0, 1] {
                judge.left(slot(worker), long + 2);
                judge.confirm(slot(worker));
            }
            assert_eq!(judge.broken_fence().is_some(), broken, "{token}");
        }
    }

    #[test]
    fn readers_share_and_writers_do_not() {
        let mut judge = judge();
        for reader in 0..3 {
            assert!(!judge.entered(slot(reader), Verb::Read, 10, false));
        }
        assert!(judge.entered(slot(3), Verb::Try, 11, false));
        for worker in 0..4 {
            judge.left(slot(worker), 20);
            judge.confirm(slot(worker));
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
            judge.entered(slot(0), Verb::Acquire, 0, false);
            if paused {
                judge.paused(Some(slot(0)));
            }
            judge.entered(slot(1), Verb::Acquire, age, false);
            for worker in [0, 1] {
                judge.left(slot(worker), age + 1);
                judge.confirm(slot(worker));
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
            judge.entered(slot(0), Verb::Acquire, 0, false);
            assert!(!judge.may_have_lost(slot(0)), "it is still in");
            judge.left(slot(0), age);
            assert_eq!(judge.may_have_lost(slot(0)), lost);
            judge.confirm(slot(0));
            assert!(!judge.may_have_lost(slot(0)));
        }
    }
}
