//! Delay-bounded search: the default schedule, except that up to three times an actor is delayed
//! before a step until no other can go on (after Emmi, Qadeer and Rakamarić, *Delay-bounded
//! scheduling*, POPL 2011).
//!
//! Delays before steps that remove a name or take a lock come first: a single such delay found
//! every takeover race of the trial runs.

use std::collections::{BinaryHeap, HashSet};

use super::super::schedule::{Candidate, Readiness, Step};
use super::scheduler::{Scheduler, Strategy};
use super::view::View;

/// Number of first steps of an actor before which it may be delayed.
const STEPS: usize = 60;

/// Default maximum number of delays in one schedule.
pub const MOST: usize = 3;

/// An actor, and the number of steps that it has taken.
type Point = (usize, usize);

#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Plan {
    /// Number of delays, sum of their priorities, number of the plan. The heap returns the largest
    /// first.
    rank: std::cmp::Reverse<(usize, u32, usize)>,
    delays: Vec<Point>,
    last_first: bool,
}

/// The strategy.
#[derive(Debug)]
pub struct Delays {
    most: usize,
    plans: BinaryHeap<Plan>,
    seen: HashSet<(Vec<Point>, bool)>,
    current: Option<Plan>,
    made: usize,
}

impl Delays {
    /// The strategy with up to this many delays in a schedule.
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

    fn plan(&mut self, delays: Vec<Point>, last_first: bool, priority: u32) {
        if self.seen.insert((delays.clone(), last_first)) {
            self.made += 1;
            let rank = std::cmp::Reverse((delays.len(), priority, self.made));
            self.plans.push(Plan {
                rank,
                delays,
                last_first,
            });
        }
    }
}

impl Strategy for Delays {
    fn next(&mut self) -> Option<Box<dyn Scheduler>> {
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
        // Another plan has tried a delay before the last one of this plan.
        let position = |point: &Point| {
            trace
                .iter()
                .position(|step| (step.actor, step.nth) == *point)
        };
        let from = plan.delays.last().and_then(position).unwrap_or(0);
        for step in &trace[from.min(trace.len())..] {
            let point = (step.actor, step.nth);
            if step.nth >= STEPS || step.priority() > 4 || plan.delays.contains(&point) {
                continue;
            }
            let mut delays = plan.delays.clone();
            delays.push(point);
            let priority = plan.rank.0.1 + step.priority();
            self.plan(delays.clone(), false, priority);
            if delays.len() > 1 {
                self.plan(delays, true, priority);
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
    /// Delayed actors, each with the number of steps before the delay.
    delayed: Vec<(usize, usize)>,
    last_first: bool,
}

impl Scheduler for Delaying {
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
    /// An actor that is not delayed, or `Err` with a delayed one whose delay is over.
    fn whose_turn(&self, free: &View<'_>, all: &View<'_>) -> Result<usize, usize> {
        if free.ready().next().is_some() {
            return Ok(free.by_default());
        }
        let mut delayed = self
            .delayed
            .iter()
            .filter(|(actor, _)| all.find(*actor).is_some());
        let next = match self.last_first {
            true => delayed.next_back(),
            false => delayed.next(),
        };
        let Some(&(actor, since)) = next else {
            return Ok(free.by_default());
        };
        // A holder that entered before the delay leaves first. A holder that entered after it is
        // still in the section when the delayed actor continues.
        let entered_before = |candidate: &&Candidate| match candidate.readiness {
            Readiness::Holding { since: entered } => entered < since,
            Readiness::Ready | Readiness::Yielded => false,
        };
        let earlier = free.candidates.iter().find(entered_before);
        earlier.map_or(Err(actor), |holder| Ok(holder.actor))
    }
}

#[cfg(test)]
mod tests {
    use super::super::super::command::Command;
    use super::super::super::schedule::Action;
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

    /// This many arbitrary steps.
    fn steps(count: usize) -> Vec<Step> {
        let step = Step {
            actor: 0,
            nth: 0,
            action: Action::Commanded(Command::Leave),
            answers: Vec::new(),
            candidates: Vec::new(),
        };
        vec![step; count]
    }

    #[test]
    fn who_is_held_up_goes_on_when_nobody_else_can() {
        let mut scheduler = Delaying {
            to_come: vec![(0, 1)],
            delayed: Vec::new(),
            last_first: false,
        };
        let mut choose = |list: &[(usize, usize, Readiness)], last, at| {
            scheduler.choose(&View {
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
            "0 is delayed"
        );
        // Worker 1 is in the section; worker 0 continues meanwhile.
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
        let mut scheduler = Delaying {
            to_come: vec![(1, 0)],
            delayed: Vec::new(),
            last_first: false,
        };
        let list = candidates(&[
            (0, 1, Readiness::Holding { since: 1 }),
            (1, 0, Readiness::Ready),
        ]);
        assert_eq!(
            scheduler.choose(&View {
                candidates: &list,
                last: Some(0),
                steps: &steps(5),
            }),
            Some(0)
        );
    }
}
