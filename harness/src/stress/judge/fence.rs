//! Fencing tokens: numbers that grow with each acquisition, so that a resource can refuse a holder
//! whose lease has ended.

use std::collections::VecDeque;

/// Number of sections that are remembered.
const REMEMBERED: usize = 64;

/// A section that began with a token.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FencedSection<W> {
    pub holder: W,
    pub token: u64,
    /// The time, or the number of steps, at which it began.
    pub began: u64,
}

/// Two sections whose tokens contradict the order in which the lock was acquired.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BrokenFence<W> {
    /// The holder that acquired the lock first.
    pub earlier: FencedSection<W>,
    /// The holder that acquired it afterwards; its token is not greater.
    pub later: FencedSection<W>,
}

/// The sections so far, as far as their tokens matter.
///
/// The order of acquisitions is known in three cases only: one was requested when the section of the
/// other had begun; a holder with a valid lease acquired the lock after all that have begun; and
/// one without acquired it before a holder with a valid lease that is inside. If the last two were
/// wrong, two leases would have been valid at once.
#[derive(Clone, Debug)]
pub struct Fence<W> {
    /// Sections with a greater token than all before them.
    highest: VecDeque<FencedSection<W>>,
}

impl<W: Copy + PartialEq> Fence<W> {
    pub fn new() -> Self {
        Fence {
            highest: VecDeque::new(),
        }
    }

    /// Begins a section that was requested at a time or step. `is_valid` is set if its lease has not
    /// ended; `inside` are the sections of other holders of which that is certain as well.
    pub fn begins(
        &mut self,
        new: FencedSection<W>,
        requested: u64,
        is_valid: bool,
        inside: impl IntoIterator<Item = FencedSection<W>>,
    ) -> Option<BrokenFence<W>> {
        let mut before = self.highest.iter().rev();
        let highest = before.find(|section| is_valid || section.began < requested);
        let behind = highest.filter(|earlier| earlier.token >= new.token);
        let behind = behind.map(|&earlier| BrokenFence {
            earlier,
            later: new,
        });
        let ahead = || {
            let mut inside = inside.into_iter().filter(|_| !is_valid);
            let later = inside.find(|later| later.holder != new.holder && later.token <= new.token);
            later.map(|later| BrokenFence {
                earlier: new,
                later,
            })
        };
        let broken = behind.or_else(ahead);
        if self
            .highest
            .back()
            .is_none_or(|last| last.token < new.token)
        {
            self.highest.push_back(new);
            if self.highest.len() > REMEMBERED {
                self.highest.pop_front();
            }
        }
        broken
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn section(holder: usize, token: u64, began: u64) -> FencedSection<usize> {
        FencedSection {
            holder,
            token,
            began,
        }
    }

    #[test]
    fn a_valid_holder_has_the_greatest_token() {
        let mut fence = Fence::new();
        assert_eq!(fence.begins(section(0, 5, 10), 1, true, []), None);
        assert_eq!(fence.begins(section(1, 6, 20), 1, true, []), None);
        for token in [6, 5, 1] {
            let later = section(2, token, 30);
            let broken = fence.begins(later, 1, true, []).unwrap();
            assert_eq!((broken.earlier, broken.later), (section(1, 6, 20), later));
        }
    }

    #[test]
    fn a_stale_holder_comes_before_a_valid_one_that_is_inside() {
        let valid = section(1, 6, 20);
        let begins = |token, requested, is_valid| {
            let mut fence = Fence::new();
            assert_eq!(fence.begins(valid, 1, true, []), None);
            fence.begins(section(0, token, 30), requested, is_valid, [valid])
        };
        assert_eq!(begins(5, 1, false), None);
        let broken = begins(7, 1, false).unwrap();
        assert_eq!((broken.earlier.holder, broken.later), (0, valid));
        assert!(begins(6, 1, false).is_some());
        // It was requested after the other had entered, so it was acquired later.
        assert_eq!(begins(5, 21, false).unwrap().later.holder, 0);
    }

    #[test]
    fn of_two_stale_holders_the_order_is_not_known() {
        let mut fence = Fence::new();
        assert_eq!(fence.begins(section(1, 6, 20), 1, false, []), None);
        assert_eq!(fence.begins(section(0, 5, 30), 1, false, []), None);
        assert_eq!(fence.begins(section(2, 7, 40), 1, false, []), None);
    }

    proptest! {
        /// A lock that grants in the order of its tokens, to holders that may enter late and stale, is
        /// never called broken.
        #[test]
        fn tokens_in_the_order_of_grants_are_right(
            grants in proptest::collection::vec((0_u64..3, 0_u64..6, any::<bool>()), 1..100)
        ) {
            // Each grant ends the lease of the one before; a holder enters after some delay.
            let mut entries: Vec<(u64, u64, u64)> = Vec::new();
            let mut now = 1;
            for (token, (waited, delay, _)) in grants.iter().enumerate() {
                now += 1;
                entries.push((now + 2 * delay, token as u64, now - waited.min(&now)));
            }
            entries.sort_unstable();
            let valid_until = |token: u64| token + 3;
            let mut fence = Fence::new();
            let mut inside: Vec<FencedSection<u64>> = Vec::new();
            for (at, token, requested) in entries {
                let is_valid = |token: u64| at < valid_until(token);
                inside.retain(|section| is_valid(section.token));
                let new = FencedSection { holder: token, token, began: at };
                let found = fence.begins(new, requested, is_valid(token), inside.clone());
                prop_assert_eq!(found, None);
                inside.push(new);
            }
        }
    }
}
