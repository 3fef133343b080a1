//! Plans the schedules of a search, and learns from those that were run.
//!
//! A strategy learns from each schedule what to run next. To keep several explorers busy, a
//! schedule is planned before its last predecessors have ended; to keep the search the same for any
//! number of explorers, always before the same ones.

use std::collections::{BTreeMap, VecDeque};
use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::super::schedule::Step;
use super::super::strategy::{Choice, Mix, Plan, Shard, Strategy};
use super::tally::{Record, Tally};

/// Number of schedules from which nothing is learned before the next one is planned, if there are
/// other plans. No more explorers than these can work at once.
const LAG: usize = 32;

/// The state of a search between two schedules. It can be saved, and the search continued.
#[derive(Debug, Serialize, Deserialize)]
pub struct Planner {
    seed: u64,
    choice: Choice,
    shard: Shard,
    mix: Mix,
    /// Number of schedules that were planned.
    planned: usize,
    /// Number of schedules that were learned, in the order of their numbers.
    learned: usize,
    /// The plans that were not learned.
    plans: BTreeMap<usize, Plan>,
    /// The schedules that were judged and not learned; after a pause they are run again.
    #[serde(skip)]
    judged: VecDeque<(Vec<Step>, Record)>,
    /// Counts over the schedules that were learned.
    tally: Tally,
    /// Real time for which a dead holder is left.
    pub(in super::super) settle_time: Duration,
    /// Duration of the search so far, in seconds.
    pub(in super::super) seconds: f64,
}

impl Planner {
    /// The start of a search.
    pub fn new(choice: Choice, seed: u64, shard: Shard, settle_time: Duration) -> Self {
        Planner {
            seed,
            choice,
            shard,
            mix: Mix::new(choice, seed, shard),
            planned: 0,
            learned: 0,
            plans: BTreeMap::new(),
            judged: VecDeque::new(),
            tally: Tally::default(),
            settle_time,
            seconds: 0.0,
        }
    }

    /// Number of schedules that were planned.
    pub fn planned(&self) -> usize {
        self.planned
    }

    /// Number of schedules that were judged.
    pub fn judged(&self) -> usize {
        self.learned + self.judged.len()
    }

    /// Counts over all schedules that were judged.
    pub fn tally(&self) -> Tally {
        let mut tally = self.tally.clone();
        for (_, record) in &self.judged {
            tally.add(record);
        }
        tally
    }

    /// The plan of this schedule, which was not learned.
    pub fn plan(&self, number: usize) -> Option<&Plan> {
        self.plans.get(&number)
    }

    /// Plans the next schedule. Returns `false` if that needs a schedule that was not judged yet,
    /// or all were planned.
    pub fn plan_next(&mut self) -> bool {
        loop {
            if self.planned < self.learned + LAG
                && let Some(plan) = self.mix.next()
            {
                self.plans.insert(self.planned, plan);
                self.planned += 1;
                return true;
            }
            if !self.learn() {
                return false;
            }
        }
    }

    /// Takes the next schedule in the order of their numbers.
    pub fn judge(&mut self, steps: Vec<Step>, record: Record) {
        self.judged.push_back((steps, record));
    }

    fn learn(&mut self) -> bool {
        let Some((steps, record)) = self.judged.pop_front() else {
            return false;
        };
        if let Some(plan) = self.plans.remove(&self.learned) {
            self.mix.learn(&plan, &steps);
        }
        self.tally.add(&record);
        self.learned += 1;
        true
    }

    /// Forgets what was planned and learned, except the counts. Schedules that run are void.
    pub fn restart(&mut self, settle_time: Duration) {
        while let Some((_, record)) = self.judged.pop_front() {
            self.tally.add(&record);
            self.learned += 1;
        }
        self.settle_time = settle_time;
        self.plans.clear();
        self.planned = self.learned;
        self.mix = Mix::new(self.choice, self.seed, self.shard);
    }

    /// The part of the search space that was searched completely, in words.
    pub fn complete(&self) -> Option<String> {
        let judged = self.judged();
        let unknown = self.plans.iter();
        self.mix
            .complete(unknown.map(|(&number, plan)| (plan, number < judged)))
    }

    /// Number of schedules that did not go as planned, since a worker is not deterministic.
    pub fn strayed(&self) -> usize {
        self.mix.strayed()
    }

    /// The depth that the search has reached, in words.
    pub fn depth(&self) -> Option<String> {
        self.mix.depth()
    }
}
