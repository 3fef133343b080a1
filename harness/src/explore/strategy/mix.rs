//! The source of plans: one strategy, or, by default, delays first, since they are few and find
//! most, then all strategies in turn.

use serde::{Deserialize, Serialize};

use super::super::schedule::Step;
use super::choice::Choice;
use super::delays::{self, Delays};
use super::depth_first::{Branch, DepthFirst};
use super::pct::{self, Pct};
use super::random::{self, RandomWalk};
use super::scheduler::{Scheduler, Strategy};
use super::shard::Shard;

/// Number of initial schedules with delays only.
const FIRST: usize = 60;
/// The cycle of strategies afterwards.
const TURNS: [Kind; 10] = [
    Kind::Pct,
    Kind::Delays,
    Kind::DepthFirst,
    Kind::Walk,
    Kind::Delays,
    Kind::Pct,
    Kind::DepthFirst,
    Kind::Delays,
    Kind::Walk,
    Kind::Delays,
];

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    Delays,
    DepthFirst,
    Pct,
    Walk,
}

/// One schedule to run.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub enum Plan {
    /// With delays.
    Delays(delays::Plan),
    /// A branch of the depth-first search.
    DepthFirst(Branch),
    /// With random priorities.
    Pct(pct::Plan),
    /// A random walk.
    Walk(random::Walk),
}

impl Plan {
    /// The scheduler that follows the plan.
    pub fn scheduler(&self) -> Box<dyn Scheduler> {
        match self {
            Plan::Delays(plan) => Box::new(plan.scheduler()),
            Plan::DepthFirst(branch) => Box::new(branch.scheduler()),
            Plan::Pct(plan) => Box::new(plan.scheduler()),
            Plan::Walk(walk) => Box::new(walk.clone()),
        }
    }

    fn kind(&self) -> Kind {
        match self {
            Plan::Delays(_) => Kind::Delays,
            Plan::DepthFirst(_) => Kind::DepthFirst,
            Plan::Pct(_) => Kind::Pct,
            Plan::Walk(_) => Kind::Walk,
        }
    }
}

/// The source of plans.
#[derive(Debug, Serialize, Deserialize)]
pub struct Mix {
    choice: Choice,
    delays: Delays,
    depth_first: DepthFirst,
    pct: Pct,
    walk: RandomWalk,
    made: usize,
    /// Number of plans of the first two strategies that were made and not learned.
    pending: [usize; 2],
}

impl Mix {
    /// The source for this strategy; its random choices follow from the seed.
    pub fn new(choice: Choice, seed: u64, shard: Shard) -> Self {
        let of_walk = match choice {
            Choice::Random => seed,
            _ => seed ^ 0xa11,
        };
        Mix {
            choice,
            delays: Delays::new(delays::MOST, shard),
            depth_first: DepthFirst::new(shard),
            pct: Pct::new(seed, pct::CHANGES, shard),
            walk: RandomWalk::new(of_walk, shard),
            made: 0,
            pending: [0; 2],
        }
    }

    fn turn(&self) -> Kind {
        match (self.choice, self.made) {
            (Choice::Delays, _) | (Choice::Mix, 0..FIRST) => Kind::Delays,
            (Choice::DepthFirst, _) => Kind::DepthFirst,
            (Choice::Pct, _) => Kind::Pct,
            (Choice::Random, _) => Kind::Walk,
            (Choice::Mix, made) => TURNS[made % TURNS.len()],
        }
    }

    fn plan(&mut self, kind: Kind) -> Option<Plan> {
        match kind {
            Kind::Delays => self.delays.next().map(Plan::Delays),
            Kind::DepthFirst => self.depth_first.next().map(Plan::DepthFirst),
            Kind::Pct => self.pct.next().map(Plan::Pct),
            Kind::Walk => self.walk.next().map(Plan::Walk),
        }
    }

    fn pending(&mut self, kind: Kind) -> Option<&mut usize> {
        match kind {
            Kind::Delays => Some(&mut self.pending[0]),
            Kind::DepthFirst => Some(&mut self.pending[1]),
            Kind::Pct | Kind::Walk => None,
        }
    }

    /// The part of the search space that was searched completely, in words. `unlearned` are plans
    /// whose schedules were not learned, each with `true` if the schedule was run.
    pub fn complete<'a>(
        &self,
        unlearned: impl Iterator<Item = (&'a Plan, bool)>,
    ) -> Option<String> {
        let (mut fewest, mut branches) = (Vec::new(), 0);
        for (plan, was_run) in unlearned {
            match plan {
                // Another delay may follow those of a schedule that was run.
                Plan::Delays(plan) => fewest.extend(self.delays.unknown(plan, was_run)),
                Plan::DepthFirst(_) => branches += 1,
                Plan::Pct(_) | Plan::Walk(_) => {}
            }
        }
        // All interleavings include every schedule with a few delays.
        if branches == 0 && self.depth_first.is_complete() {
            let crashes = match self.depth_first.has_faults() {
                true => " and crash",
                false => "",
            };
            return Some(format!(
                "complete: every interleaving{crashes}, up to the order of independent calls"
            ));
        }
        self.delays.complete(fewest.into_iter().min())
    }

    /// Number of schedules that did not go as planned.
    pub fn strayed(&self) -> usize {
        self.delays.strayed() + self.depth_first.strayed()
    }

    /// The depth that the systematic strategies have reached, in words.
    pub fn depth(&self) -> Option<String> {
        let delays = self.delays.depth().map(|depth| counted(depth, "delay"));
        let bound = self.depth_first.depth();
        let bound = bound.map(|depth| counted(depth, "preemption"));
        let parts: Vec<String> = match self.choice {
            Choice::Mix => delays.into_iter().chain(bound).collect(),
            Choice::Delays => delays.into_iter().collect(),
            Choice::DepthFirst => bound.into_iter().collect(),
            Choice::Pct | Choice::Random => Vec::new(),
        };
        (!parts.is_empty()).then(|| parts.join(" and "))
    }
}

fn counted(count: usize, what: &str) -> String {
    format!("{count} {what}{}", if count == 1 { "" } else { "s" })
}

impl Strategy for Mix {
    type Plan = Plan;

    fn next(&mut self) -> Option<Plan> {
        let turn = self.turn();
        let plan = match self.plan(turn) {
            Some(plan) => plan,
            // It plans more once those that run were learned.
            None if self.pending(turn).is_some_and(|pending| *pending > 0) => return None,
            None if self.choice == Choice::Mix => self.plan(Kind::Walk)?,
            None => return None,
        };
        if let Some(pending) = self.pending(plan.kind()) {
            *pending += 1;
        }
        self.made += 1;
        Some(plan)
    }

    fn learn(&mut self, plan: &Plan, trace: &[Step]) {
        if let Some(pending) = self.pending(plan.kind()) {
            *pending -= 1;
        }
        match plan {
            Plan::Delays(plan) => self.delays.learn(plan, trace),
            Plan::DepthFirst(branch) => self.depth_first.learn(branch, trace),
            Plan::Pct(plan) => self.pct.learn(plan, trace),
            Plan::Walk(walk) => self.walk.learn(walk, trace),
        }
    }
}
