//! All interleavings, depth first, bounded by preemptions: first those without preemptions, then
//! those with one, and so on (Musuvathi and Qadeer, *Iterative context bounding*, PLDI 2007). Of
//! interleavings that differ only in the order of independent steps, sleep sets run one (Godefroid,
//! *Partial-order methods for the verification of concurrent systems*, LNCS 1032, 1996).
//!
//! A branch whose steps all sleep is cut short. With a bound, a sleep set may omit a schedule
//! within the bound whose equivalent has more preemptions. So completeness is claimed only after
//! every bound has been reached.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::super::moves::Move;
use super::super::schedule::{Candidate, Readiness, Step};
use super::super::syscalls::Footprint;
use super::scheduler::{Scheduler, Strategy};
use super::shard::Shard;
use super::view::View;

/// Number of steps after which no branch begins.
const DEEPEST: usize = 400;

/// Actors whose next step was already tried and depends on no step since then, each with the
/// footprint of that step.
type Sleep = Vec<(usize, Footprint)>;

/// The beginning of a schedule that has not been tried.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Branch {
    prefix: Vec<Move>,
    /// The sleep set just before the last step of the prefix.
    sleep: Sleep,
    preemptions: usize,
}

impl Branch {
    /// The scheduler that begins with the branch.
    pub fn scheduler(&self) -> impl Scheduler + use<> {
        Walk {
            prefix: self.prefix.clone(),
            sleepers: Sleepers::of(self),
        }
    }
}

/// The strategy.
#[derive(Debug, Serialize, Deserialize)]
pub struct DepthFirst {
    /// Branches by number of preemptions; the last of each is the deepest.
    branches: BTreeMap<usize, Vec<Branch>>,
    cut_off: bool,
    /// Set once a fault was possible.
    has_faults: bool,
    /// Number of branches whose prefix could not be followed to its end.
    strayed: usize,
    /// The first deviation from the first schedule decides the shard of a branch.
    shard: Shard,
}

impl DepthFirst {
    /// The strategy in its initial state.
    pub fn new(shard: Shard) -> Self {
        let root = Branch {
            prefix: Vec::new(),
            sleep: Vec::new(),
            preemptions: 0,
        };
        DepthFirst {
            branches: BTreeMap::from([(0, vec![root])]),
            cut_off: false,
            has_faults: false,
            strayed: 0,
            shard,
        }
    }

    /// Returns `true` if no branch is left to be planned, and each was followed to its end.
    pub fn is_complete(&self) -> bool {
        self.branches.is_empty() && !self.cut_off && self.strayed == 0
    }

    /// Number of branches whose prefix could not be followed to its end: a worker is not
    /// deterministic.
    pub fn strayed(&self) -> usize {
        self.strayed
    }

    /// Returns `true` if a fault was possible.
    pub fn has_faults(&self) -> bool {
        self.has_faults
    }

    /// Number of preemptions of the next schedule.
    pub fn depth(&self) -> Option<usize> {
        self.branches.keys().next().copied()
    }
}

impl Strategy for DepthFirst {
    type Plan = Branch;

    fn next(&mut self) -> Option<Branch> {
        let mut fewest = self.branches.first_entry()?;
        let branch = fewest.get_mut().pop()?;
        if fewest.get().is_empty() {
            fewest.remove();
        }
        Some(branch)
    }

    fn learn(&mut self, branch: &Branch, trace: &[Step]) {
        self.strayed += usize::from(trace.len() < branch.prefix.len());
        let mut sleepers = Sleepers::of(branch);
        let is_root = branch.prefix.is_empty();
        let mut preemptions = branch.preemptions;
        let mut made = Vec::new();
        for (at, step) in trace.iter().enumerate() {
            let slept = sleepers.before(&step.candidates, &trace[..at]).clone();
            if at < branch.prefix.len() {
                continue;
            }
            if at >= DEEPEST {
                self.cut_off = true;
                break;
            }
            let last = at.checked_sub(1).map(|before| trace[before].actor);
            let prefix = |made: Move| {
                let before = trace[..at].iter().map(Step::made);
                before.chain([made]).collect::<Vec<Move>>()
            };
            // A fault depends on every step, so no step sleeps after it.
            self.has_faults |= !step.faults.is_empty();
            for fault in step.faults.iter().filter(|fault| fault.fresh) {
                let actor = fault.made.actor();
                if fault.made != step.made() && (!is_root || self.shard.has(actor, at)) {
                    made.push(Branch {
                        prefix: prefix(fault.made),
                        sleep: Vec::new(),
                        preemptions: preemptions + 1,
                    });
                }
            }
            let mut sleep = slept;
            if !step.made().is_fault() {
                sleep.push((step.actor, step.footprint()));
            }
            for other in &step.candidates {
                let asleep = sleep.iter().any(|(actor, _)| *actor == other.actor);
                if asleep || other.readiness == Readiness::Yielded {
                    continue;
                }
                if !is_root || self.shard.has(other.actor, at) {
                    made.push(Branch {
                        prefix: prefix(Move::Step(other.actor)),
                        sleep: sleep.clone(),
                        preemptions: preemptions + cost(other, last, &step.candidates),
                    });
                }
                sleep.push((other.actor, other.next.clone()));
            }
            let chosen = step.candidates.iter().find(|one| one.actor == step.actor);
            preemptions += match step.made() {
                Move::Step(_) => chosen.map_or(0, |chosen| cost(chosen, last, &step.candidates)),
                _ => 1,
            };
        }
        for branch in made {
            self.branches
                .entry(branch.preemptions)
                .or_default()
                .push(branch);
        }
    }
}

/// 1 for a preemption, otherwise 0: the last actor could continue, or a holder leaves the section
/// while others can act.
fn cost(chosen: &Candidate, last: Option<usize>, all: &[Candidate]) -> usize {
    let ready = |one: &Candidate| one.readiness == Readiness::Ready;
    let preempts =
        last != Some(chosen.actor) && all.iter().any(|one| Some(one.actor) == last && ready(one));
    let hurries = !ready(chosen) && all.iter().any(ready);
    usize::from(preempts || hurries)
}

/// The sleep set before each step of a schedule.
struct Sleepers {
    /// Number of moves of the prefix.
    prefix: usize,
    /// The sleep set just before the last step of the prefix.
    given: Sleep,
    sleep: Sleep,
}

impl Sleepers {
    fn of(branch: &Branch) -> Self {
        Sleepers {
            prefix: branch.prefix.len(),
            given: branch.sleep.clone(),
            sleep: Vec::new(),
        }
    }

    /// The sleep set before the step after `steps`; to be called once for each step.
    fn before(&mut self, candidates: &[Candidate], steps: &[Step]) -> &Sleep {
        let at = steps.len();
        if at + 1 == self.prefix {
            self.sleep = self.given_here(candidates);
        } else if at >= self.prefix
            && let Some(last) = steps.last()
        {
            let footprint = last.footprint();
            self.sleep
                .retain(|(actor, asleep)| *actor != last.actor && asleep.commutes_with(&footprint));
        }
        &self.sleep
    }

    /// The given sleep set with the footprints of this run: its files have other inodes than those
    /// of the run in which a step was put to sleep.
    fn given_here(&mut self, candidates: &[Candidate]) -> Sleep {
        let here = |(actor, slept): (usize, Footprint)| {
            let candidate = candidates.iter().find(|one| one.actor == actor)?;
            Some((actor, slept.with_resources_of(&candidate.next)))
        };
        let given = std::mem::take(&mut self.given);
        given.into_iter().filter_map(here).collect()
    }
}

struct Walk {
    prefix: Vec<Move>,
    sleepers: Sleepers,
}

impl Scheduler for Walk {
    fn identifies_files(&self) -> bool {
        true
    }

    fn choose(&mut self, view: &View<'_>) -> Option<Move> {
        let sleep = self.sleepers.before(view.candidates, view.steps);
        if let Some(&next) = self.prefix.get(view.at()) {
            return view.allows(next).then_some(next);
        }
        let awake: Vec<Candidate> = view
            .candidates
            .iter()
            .filter(|candidate| sleep.iter().all(|(actor, _)| *actor != candidate.actor))
            .cloned()
            .collect();
        // Workers that only repeat an observation lead nowhere while the others sleep.
        let stutters = awake.len() < view.candidates.len()
            && awake
                .iter()
                .all(|candidate| candidate.readiness == Readiness::Yielded);
        if awake.is_empty() || stutters {
            return None;
        }
        let awake = View {
            candidates: &awake,
            ..*view
        };
        Some(Move::Step(awake.by_default()))
    }
}

#[cfg(all(test, target_os = "linux"))]
mod tests {
    use super::super::super::schedule::Action;
    use super::super::super::syscalls::{Call, Effect, Operation};
    use super::*;

    /// Explores a program in which each actor makes these calls in order. Returns the order of
    /// actors in each schedule, the number of schedules cut short, and completeness.
    fn explore(program: &[&[(Effect, &str)]]) -> (Vec<Vec<usize>>, usize, bool) {
        let mut search = DepthFirst::new(Shard::WHOLE);
        let (mut orders, mut known) = (Vec::new(), 0);
        while let Some(branch) = search.next() {
            let mut scheduler = branch.scheduler();
            let mut steps: Vec<Step> = Vec::new();
            let mut done = vec![0; program.len()];
            let cut_short = loop {
                let call = |actor: usize, nth: usize| {
                    let (effect, target) = program[actor][nth];
                    Call::from_outside(Operation::Open, effect, target)
                };
                let candidates: Vec<Candidate> = (0..program.len())
                    .filter(|&actor| done[actor] < program[actor].len())
                    .map(|actor| Candidate {
                        actor,
                        nth: done[actor],
                        readiness: Readiness::Ready,
                        next: Footprint::of(&call(actor, done[actor]), false),
                    })
                    .collect();
                if candidates.is_empty() {
                    break false;
                }
                let view = View {
                    candidates: &candidates,
                    faults: &[],
                    last: steps.last().map(|step| step.actor),
                    steps: &steps,
                };
                let Some(Move::Step(actor)) = scheduler.choose(&view) else {
                    break true;
                };
                let nth = done[actor];
                done[actor] += 1;
                steps.push(Step {
                    actor,
                    nth,
                    action: Action::called(call(actor, nth), 0),
                    answers: Vec::new(),
                    candidates,
                    faults: Vec::new(),
                });
            };
            search.learn(&branch, &steps);
            match cut_short {
                true => known += 1,
                false => orders.push(steps.iter().map(|step| step.actor).collect()),
            }
        }
        (orders, known, search.is_complete())
    }

    #[test]
    fn every_order_of_dependent_steps_is_run_once() {
        let writes = [(Effect::Modify, "a"), (Effect::Modify, "a")];
        let (mut orders, _, complete) = explore(&[&writes, &writes]);
        assert!(complete);
        assert_eq!(orders.len(), 6, "{orders:?}");
        orders.sort();
        orders.dedup();
        assert_eq!(orders.len(), 6);
        // The first ones have no preemption.
        let (orders, ..) = explore(&[&writes, &writes]);
        assert_eq!(orders[0], [0, 0, 1, 1]);
    }

    /// A file has another inode in each run. Two calls that name it differently still depend on
    /// each other.
    #[test]
    fn a_sleeping_step_touches_the_files_of_this_run() {
        let run = |inode: u64| {
            let call = |effect, target| {
                let mut call = Call::from_outside(Operation::Open, effect, target);
                call.resources.files = vec![(1, inode)];
                call
            };
            let write = call(Effect::Modify, "a");
            let read = call(Effect::Observe, "b");
            [Footprint::of(&write, false), Footprint::of(&read, false)]
        };
        let [_, read_before] = run(1);
        let [write, read] = run(2);
        assert!(read_before.commutes_with(&write));
        let candidate = |actor, next| Candidate {
            actor,
            nth: 0,
            readiness: Readiness::Ready,
            next,
        };
        let candidates = [candidate(0, write.clone()), candidate(1, read)];
        let view = View {
            candidates: &candidates,
            faults: &[],
            last: None,
            steps: &[],
        };
        let branch = Branch {
            prefix: vec![Move::Step(0)],
            sleep: vec![(1, read_before)],
            preemptions: 0,
        };
        let mut sleepers = Sleepers::of(&branch);
        let sleep = sleepers.before(view.candidates, view.steps);
        let [(1, asleep)] = &sleep[..] else {
            panic!("{sleep:?}");
        };
        assert!(!asleep.commutes_with(&write));
    }

    #[test]
    fn of_independent_steps_one_order_is_run() {
        let one = [(Effect::Modify, "a"), (Effect::Modify, "a")];
        let other = [(Effect::Modify, "b"), (Effect::Observe, "b")];
        let (orders, _, complete) = explore(&[&one, &other]);
        assert_eq!((orders.len(), complete), (1, true), "{orders:?}");
        // Two orders of the only dependent pair.
        let (orders, ..) = explore(&[
            &[(Effect::Modify, "a")],
            &[(Effect::Observe, "b"), (Effect::Observe, "a")],
        ]);
        assert_eq!(orders.len(), 2, "{orders:?}");
    }
}
