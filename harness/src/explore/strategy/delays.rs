//! Delay-bounded search: the default schedule, except that up to three times an actor is delayed
//! before a step until no other can go on (after Emmi, Qadeer and Rakamarić, *Delay-bounded
//! scheduling*, POPL 2011). A fault counts like a delay.
//!
//! Delays before steps that remove a name or take a lock come first: a single such delay found
//! every takeover race of the trial runs.

use std::collections::{BinaryHeap, HashSet};

use serde::{Deserialize, Serialize};

use super::super::moves::{Fault, Move};
use super::super::schedule::{Candidate, Readiness, Step};
use super::scheduler::{Scheduler, Strategy};
use super::shard::Shard;
use super::view::View;

/// Number of first steps of an actor before which it may be delayed.
const STEPS: usize = 60;

/// Default maximum number of delays and faults in one schedule.
pub const MOST: usize = 3;

/// The rank of a fault among the delays.
const PRIORITY_OF_FAULT: u32 = 1;
/// Added to the rank of a delay in a schedule without a fault, if faults are possible.
const WITHOUT_FAULT: u32 = 10;

/// An actor, and the number of steps that it has taken.
type Point = (usize, usize);

/// A deviation from the default schedule.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
enum Change {
    /// The actor is delayed.
    Delay(Point),
    /// The fault is chosen once its actor has taken this many steps: at once or, if `late`, when it
    /// is the turn of the actor.
    Fault { made: Move, nth: usize, late: bool },
}

/// The changes of one schedule.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Plan {
    /// Number of changes, sum of their priorities, number of the plan. The heap returns the largest
    /// first.
    rank: std::cmp::Reverse<(usize, u32, usize)>,
    changes: Vec<Change>,
    last_first: bool,
    /// Set if a deterministic worker reaches every change.
    certain: bool,
}

impl Plan {
    /// Number of changes.
    pub fn count(&self) -> usize {
        self.changes.len()
    }

    /// Returns `true` if these steps show that a worker is not deterministic. After a fault, its
    /// actor may not reach a delay, and another fault may be impossible.
    fn was_left(&self, trace: &[Step]) -> bool {
        let has_fault = |of: Option<usize>| {
            let mut faults = trace.iter().map(Step::made).filter(|made| made.is_fault());
            faults.any(|made| of.is_none_or(|actor| made.actor() == actor))
        };
        let was_reached = |change: &Change| {
            change.position(trace).is_some()
                || match *change {
                    Change::Delay((actor, _)) => has_fault(Some(actor)),
                    Change::Fault { .. } => has_fault(None),
                }
        };
        self.certain && !self.changes.iter().all(was_reached)
    }

    /// The scheduler that follows the plan.
    pub fn scheduler(&self) -> impl Scheduler + use<> {
        Delaying {
            to_come: self.changes.clone(),
            delayed: Vec::new(),
            last_first: self.last_first,
        }
    }
}

/// The strategy.
#[derive(Debug, Serialize, Deserialize)]
pub struct Delays {
    most: usize,
    plans: BinaryHeap<Plan>,
    seen: HashSet<(Vec<Change>, bool)>,
    made: usize,
    /// Set once a fault was possible.
    has_faults: bool,
    /// Number of schedules in which a worker did not reach a planned change.
    strayed: usize,
    /// The lowest number of changes among them.
    strayed_at: Option<usize>,
    /// The first change decides the shard of a schedule.
    shard: Shard,
}

impl Delays {
    /// The strategy with up to this many delays and faults in a schedule.
    pub fn new(most: usize, shard: Shard) -> Self {
        let mut delays = Delays {
            most,
            plans: BinaryHeap::new(),
            seen: HashSet::new(),
            made: 0,
            has_faults: false,
            strayed: 0,
            strayed_at: None,
            shard,
        };
        delays.plan(Vec::new(), false, 0, true);
        delays
    }

    fn plan(&mut self, changes: Vec<Change>, last_first: bool, priority: u32, certain: bool) {
        if self.seen.insert((changes.clone(), last_first)) {
            self.made += 1;
            let rank = std::cmp::Reverse((changes.len(), priority, self.made));
            self.plans.push(Plan {
                rank,
                changes,
                last_first,
                certain,
            });
        }
    }

    /// Plans one more change.
    fn extend(&mut self, plan: &Plan, change: Change, priority: u32) {
        let (actor, nth) = match change {
            Change::Delay(point) => point,
            Change::Fault { made, nth, .. } => (made.actor(), nth),
        };
        if plan.changes.is_empty() && !self.shard.has(actor, nth) {
            return;
        }
        let mut changes = plan.changes.clone();
        changes.push(change);
        let is_delay = |change: &&Change| matches!(change, Change::Delay(_));
        let delays = changes.iter().filter(is_delay).count();
        let priority = plan.rank.0.1 + priority;
        // Up to the new change, the schedule is that of `plan` if delays end in the same order.
        self.plan(changes.clone(), false, priority, !plan.last_first);
        if delays > 1 {
            let before = plan.changes.iter().filter(is_delay).count();
            self.plan(changes, true, priority, plan.last_first || before < 2);
        }
    }
}

impl Strategy for Delays {
    type Plan = Plan;

    fn next(&mut self) -> Option<Plan> {
        self.plans.pop()
    }

    fn learn(&mut self, plan: &Plan, trace: &[Step]) {
        if plan.was_left(trace) {
            self.strayed += 1;
            let at = self
                .strayed_at
                .map_or(plan.count(), |at| at.min(plan.count()));
            self.strayed_at = Some(at);
        }
        if plan.count() >= self.most {
            return;
        }
        // Other plans have tried a change before the last one of this plan takes effect.
        let last = plan.changes.last();
        let since = last.map_or(0, |change| change.begins(trace));
        let since = since.min(trace.len());
        let offered = |steps: &[Step]| -> HashSet<(Move, usize)> {
            let faults = steps.iter().flat_map(|step| &step.faults);
            faults.map(|fault| (fault.made, fault.nth)).collect()
        };
        let mut before = offered(&trace[..since]);
        self.has_faults |= trace.iter().any(|step| !step.faults.is_empty());
        for step in &trace[since..] {
            for fault in step.faults.iter().filter(|fault| fault.fresh) {
                let Fault { made, nth, .. } = *fault;
                let is_new = before.insert((made, nth));
                let in_turn = step.made() == Move::Step(made.actor());
                if nth < STEPS && (is_new || in_turn) {
                    let late = !is_new;
                    self.extend(plan, Change::Fault { made, nth, late }, PRIORITY_OF_FAULT);
                }
            }
            let delay = Change::Delay((step.actor, step.nth));
            let is_fault = step.made().is_fault();
            let known = plan.changes.contains(&delay);
            if is_fault || known || step.nth >= STEPS || step.priority() > 4 {
                continue;
            }
            let is_delay = |change: &Change| matches!(change, Change::Delay(_));
            let without_fault = match self.has_faults && plan.changes.iter().all(is_delay) {
                true => WITHOUT_FAULT,
                false => 0,
            };
            self.extend(plan, delay, step.priority() + without_fault);
        }
    }
}

impl Delays {
    /// The number of changes up to which all schedules were run, in words. `unknown` is the lowest
    /// number of changes among schedules that were planned, and not learned.
    pub fn complete(&self, unknown: Option<usize>) -> Option<String> {
        let left = unknown.into_iter().chain(self.strayed_at);
        let complete = match self.depth().into_iter().chain(left).min() {
            Some(fewest) => fewest.checked_sub(1)?,
            None => self.most,
        };
        Some(match (complete, self.has_faults) {
            (1, false) => "complete up to 1 delay".to_owned(),
            (1, true) => "complete up to 1 delay or crash".to_owned(),
            (complete, false) => format!("complete up to {complete} delays"),
            (complete, true) => format!("complete up to {complete} delays and crashes"),
        })
    }

    /// The lowest number of changes among the schedules that a plan stands for, of which it is not
    /// known that they were run.
    pub fn unknown(&self, plan: &Plan, was_run: bool) -> Option<usize> {
        let count = plan.count() + usize::from(was_run);
        (count <= self.most).then_some(count)
    }

    /// Number of schedules in which a worker did not reach a planned change.
    pub fn strayed(&self) -> usize {
        self.strayed
    }

    /// Number of changes of the next schedule.
    pub fn depth(&self) -> Option<usize> {
        self.plans.peek().map(Plan::count)
    }
}

impl Change {
    /// The number of the step from which on the change makes a difference.
    fn begins(&self, trace: &[Step]) -> usize {
        let before = match *self {
            Change::Delay((actor, nth)) => nth.checked_sub(1).map(|nth| (actor, nth)),
            Change::Fault { .. } => return self.position(trace).unwrap_or(0),
        };
        let previous = before.and_then(|point| Change::Delay(point).position(trace));
        previous.map_or(0, |previous| previous + 1)
    }

    /// The number of the step at which the change took effect.
    fn position(&self, trace: &[Step]) -> Option<usize> {
        let (made, nth) = match *self {
            Change::Delay((actor, nth)) => (Move::Step(actor), nth),
            Change::Fault { made, nth, .. } => (made, nth),
        };
        trace
            .iter()
            .position(|step| step.made() == made && step.nth == nth)
    }
}

struct Delaying {
    to_come: Vec<Change>,
    /// Delayed actors, each with the number of steps before the delay.
    delayed: Vec<(usize, usize)>,
    last_first: bool,
}

impl Scheduler for Delaying {
    fn choose(&mut self, view: &View<'_>) -> Option<Move> {
        if let Some(fault) = self.fault(view, |_, late| !late) {
            return Some(fault);
        }
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
            let (chosen, was_delayed) = match self.whose_turn(&free, view) {
                Ok(actor) => (actor, false),
                Err(actor) => (actor, true),
            };
            self.delayed.retain(|(delayed, _)| *delayed != chosen);
            let point = view.find(chosen).map(|candidate| (chosen, candidate.nth));
            let is_due = |change: &Change| Some(*change) == point.map(Change::Delay);
            let delay = self.to_come.iter().position(is_due);
            match delay.filter(|_| !was_delayed) {
                Some(place) => {
                    self.to_come.remove(place);
                    self.delayed.push((chosen, view.at()));
                }
                None => {
                    let fault = self.fault(view, |actor, late| late && actor == chosen);
                    return Some(fault.unwrap_or(Move::Step(chosen)));
                }
            }
        }
    }
}

impl Delaying {
    /// A fault that is due, of those that meet the condition on their actor and on being late.
    fn fault(&mut self, view: &View<'_>, is_meant: impl Fn(usize, bool) -> bool) -> Option<Move> {
        let is_due = |change: &Change| match *change {
            Change::Delay(_) => false,
            Change::Fault { made, nth, late } => {
                let mut possible = view.faults.iter();
                is_meant(made.actor(), late)
                    && possible.any(|fault| fault.made == made && fault.nth == nth)
            }
        };
        let place = self.to_come.iter().position(is_due)?;
        match self.to_come.remove(place) {
            Change::Fault { made, .. } => Some(made),
            Change::Delay(_) => None,
        }
    }

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
            faults: Vec::new(),
        };
        vec![step; count]
    }

    #[test]
    fn who_is_held_up_goes_on_when_nobody_else_can() {
        let mut scheduler = Delaying {
            to_come: vec![Change::Delay((0, 1))],
            delayed: Vec::new(),
            last_first: false,
        };
        let mut choose = |list: &[(usize, usize, Readiness)], last, at| {
            scheduler.choose(&View {
                candidates: &candidates(list),
                faults: &[],
                last,
                steps: &steps(at),
            })
        };
        use Readiness::{Holding, Ready, Yielded};
        assert_eq!(
            choose(&[(0, 0, Ready), (1, 0, Ready)], None, 0),
            Some(Move::Step(0))
        );
        assert_eq!(
            choose(&[(0, 1, Ready), (1, 0, Ready)], Some(0), 1),
            Some(Move::Step(1)),
            "0 is delayed"
        );
        // Worker 1 is in the section; worker 0 continues meanwhile.
        assert_eq!(
            choose(&[(0, 1, Ready), (1, 1, Holding { since: 2 })], Some(1), 3),
            Some(Move::Step(0))
        );
        assert_eq!(
            choose(&[(0, 2, Yielded), (1, 1, Holding { since: 2 })], Some(0), 4),
            Some(Move::Step(1))
        );
    }

    #[test]
    fn who_was_inside_before_leaves_first() {
        let mut scheduler = Delaying {
            to_come: vec![Change::Delay((1, 0))],
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
                faults: &[],
                last: Some(0),
                steps: &steps(5),
            }),
            Some(Move::Step(0))
        );
    }
}
