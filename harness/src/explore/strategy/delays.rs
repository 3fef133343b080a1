//! Delay-bounded search: all runs like the default one, except that one, two or three times somebody is held up just before a step until nobody
//! else can go on (after Emmi, Qadeer and Rakamarić, Delay-bounded scheduling, POPL 2011).
//!
//! Steps that remove a name or take a lock come first: one delay before one of those found every takeover race of the trial runs.

use std::collections::{BinaryHeap, HashSet};

use super::super::schedule::Step;
use super::{Candidate, Chooser, Readiness, Strategy, View};

/// Steps of one actor that are considered, polling included.
const STEPS: usize = 60;

/// Delays in one schedule.
pub const MOST: usize = 3;

type Point = (usize, usize);

#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Plan {
    /// The heap gives the largest first: few delays, promising ones, early ones.
    rank: std::cmp::Reverse<(usize, u32, usize)>,
    delays: Vec<Point>,
    last_first: bool,
}

/// See the module.
#[derive(Debug)]
pub struct Delays {
    most: usize,
    plans: BinaryHeap<Plan>,
    seen: HashSet<(Vec<Point>, bool)>,
    current: Option<Plan>,
    made: usize,
}

impl Delays {
    /// Up to so many delays in one schedule.
    pub fn new(most: usize) -> Self {
        let mut delays = Delays {
            most,
            plans: BinaryHeap::new(),
            seen: HashSet::new(),
            current: None,
            made: 0,
        };
        delays.plan(Vec::new(), false, 0);
        delays
    }

    fn plan(&mut self, delays: Vec<Point>, last_first: bool, promise: u32) {
        if self.seen.insert((delays.clone(), last_first)) {
            self.made += 1;
            let rank = std::cmp::Reverse((delays.len(), promise, self.made));
            self.plans.push(Plan {
                rank,
                delays,
                last_first,
            });
        }
    }
}

impl Strategy for Delays {
    fn next(&mut self) -> Option<Box<dyn Chooser>> {
        let plan = self.plans.pop()?;
        self.current = Some(plan.clone());
        Some(Box::new(Delaying {
            to_come: plan.delays,
            delayed: Vec::new(),
            last_first: plan.last_first,
        }))
    }

    fn learn(&mut self, trace: &[Step]) {
        let Some(plan) = self
            .current
            .take()
            .filter(|plan| plan.delays.len() < self.most)
        else {
            return;
        };
        // A delay before the last one of the plan was tried by another plan.
        let position = |point: &Point| {
            trace
                .iter()
                .position(|step| (step.actor, step.nth) == *point)
        };
        let from = plan.delays.last().and_then(position).unwrap_or(0);
        for step in &trace[from.min(trace.len())..] {
            let point = (step.actor, step.nth);
            if step.nth >= STEPS || step.promise() > 4 || plan.delays.contains(&point) {
                continue;
            }
            let mut delays = plan.delays.clone();
            delays.push(point);
            let promise = plan.rank.0.1 + step.promise();
            self.plan(delays.clone(), false, promise);
            if delays.len() > 1 {
                self.plan(delays, true, promise);
            }
        }
    }
    fn complete(&self) -> Option<String> {
        let fewest = self.plans.iter().map(|plan| plan.delays.len()).min();
        let complete = match fewest {
            Some(fewest) => fewest.checked_sub(1)?,
            None => self.most,
        };
        Some(match complete {
            1 => "complete up to 1 delay".to_owned(),
            complete => format!("complete up to {complete} delays"),
        })
    }
}

struct Delaying {
    to_come: Vec<Point>,
    /// Who is held up, since which step.
    delayed: Vec<(usize, usize)>,
    last_first: bool,
}

impl Chooser for Delaying {
    fn choose(&mut self, view: &View<'_>) -> Option<usize> {
        loop {
            let free: Vec<Candidate> = view
                .candidates
                .iter()
                .filter(|candidate| {
                    self.delayed
                        .iter()
                        .all(|(actor, _)| *actor != candidate.actor)
                })
                .cloned()
                .collect();
            let free = View {
                candidates: &free,
                ..*view
            };
            let chosen = match self.whose_turn(&free, view) {
                Ok(actor) => actor,
                Err(actor) => {
                    self.delayed.retain(|(delayed, _)| *delayed != actor);
                    return Some(actor);
                }
            };
            let point = view.find(chosen).map(|candidate| (chosen, candidate.nth));
            match self.to_come.iter().position(|delay| Some(*delay) == point) {
                Some(place) => {
                    self.to_come.remove(place);
                    self.delayed.push((chosen, view.at()));
                }
                None => return Some(chosen),
            }
        }
    }
}

impl Delaying {
    /// Somebody who is free, or else somebody who was held up.
    fn whose_turn(&self, free: &View<'_>, all: &View<'_>) -> Result<usize, usize> {
        if free.ready().next().is_some() {
            return Ok(free.by_default());
        }
        let mut held_up = self
            .delayed
            .iter()
            .filter(|(actor, _)| all.find(*actor).is_some());
        let next = match self.last_first {
            true => held_up.next_back(),
            false => held_up.next(),
        };
        let Some(&(actor, since)) = next else {
            return Ok(free.by_default());
        };
        // Who was in the section before may leave it first; who came in since then is still there when the delayed one goes on.
        let earlier = free.candidates.iter().find(
            |candidate| matches!(candidate.readiness, Readiness::Holding { since: entered } if entered < since),
        );
        earlier.map_or(Err(actor), |holder| Ok(holder.actor))
    }
}

#[cfg(test)]
mod tests {
    use super::super::super::schedule::What;
    use super::super::super::syscalls::Footprint;
    use super::*;

    fn candidates(list: &[(usize, usize, Readiness)]) -> Vec<Candidate> {
        list.iter()
            .map(|&(actor, nth, readiness)| Candidate {
                actor,
                nth,
                readiness,
                next: Footprint::of_command(),
            })
            .collect()
    }

    /// So many steps; which ones does not matter here.
    fn steps(count: usize) -> Vec<Step> {
        let step = Step {
            actor: 0,
            nth: 0,
            what: What::Leaves,
            answers: Vec::new(),
            candidates: Vec::new(),
        };
        vec![step; count]
    }

    #[test]
    fn who_is_held_up_goes_on_when_nobody_else_can() {
        let mut chooser = Delaying {
            to_come: vec![(0, 1)],
            delayed: Vec::new(),
            last_first: false,
        };
        let mut choose = |list: &[(usize, usize, Readiness)], last, at| {
            chooser.choose(&View {
                candidates: &candidates(list),
                last,
                steps: &steps(at),
            })
        };
        use Readiness::{Holding, Ready, Yielded};
        assert_eq!(choose(&[(0, 0, Ready), (1, 0, Ready)], None, 0), Some(0));
        assert_eq!(
            choose(&[(0, 1, Ready), (1, 0, Ready)], Some(0), 1),
            Some(1),
            "0 is held up"
        );
        // 1 is in the section since then: 0 goes on while it is there.
        assert_eq!(
            choose(&[(0, 1, Ready), (1, 1, Holding { since: 2 })], Some(1), 3),
            Some(0)
        );
        assert_eq!(
            choose(&[(0, 2, Yielded), (1, 1, Holding { since: 2 })], Some(0), 4),
            Some(1)
        );
    }

    #[test]
    fn who_was_inside_before_leaves_first() {
        let mut chooser = Delaying {
            to_come: vec![(1, 0)],
            delayed: Vec::new(),
            last_first: false,
        };
        let list = candidates(&[
            (0, 1, Readiness::Holding { since: 1 }),
            (1, 0, Readiness::Ready),
        ]);
        assert_eq!(
            chooser.choose(&View {
                candidates: &list,
                last: Some(0),
                steps: &steps(5),
            }),
            Some(0)
        );
    }
}
