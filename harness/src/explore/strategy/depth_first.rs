//! All interleavings, depth first, bounded by preemptions: those without first, then those with one, and so on (Musuvathi and Qadeer, Iterative
//! context bounding, PLDI 2007). Of two interleavings that differ in the order of independent steps only, one is run: sleep sets (Godefroid,
//! Partial-order methods for the verification of concurrent systems, LNCS 1032, 1996).
//!
//! A branch whose steps all sleep is cut short. Together with a bound, a sleep set may leave out a schedule within the bound whose like has
//! more preemptions; so nothing is claimed before every bound has been reached.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::rc::Rc;

use super::super::schedule::Step;
use super::super::syscalls::Footprint;
use super::{Candidate, Chooser, Readiness, Strategy, View};

/// Where a branch is cut off.
const DEEPEST: usize = 400;

/// Steps that were tried at an earlier place, and whose turn has not come since, with what they touch.
type Sleep = Vec<(usize, Footprint)>;

#[derive(Debug)]
struct Branch {
    prefix: Vec<usize>,
    /// Who sleeps just before the last step of the prefix.
    sleep: Sleep,
    preemptions: usize,
}

/// See the module.
#[derive(Debug)]
pub struct DepthFirst {
    /// By preemptions; the last one of each is the deepest.
    branches: BTreeMap<usize, Vec<Branch>>,
    current: Option<Branch>,
    /// Who slept before each step of the current schedule.
    slept: Rc<RefCell<Vec<Sleep>>>,
    cut_off: bool,
}

impl DepthFirst {
    /// From the beginning.
    pub fn new() -> Self {
        let root = Branch {
            prefix: Vec::new(),
            sleep: Vec::new(),
            preemptions: 0,
        };
        DepthFirst {
            branches: BTreeMap::from([(0, vec![root])]),
            current: None,
            slept: Rc::default(),
            cut_off: false,
        }
    }

    /// Whether all interleavings have been tried.
    pub fn is_complete(&self) -> bool {
        self.branches.is_empty() && self.current.is_none() && !self.cut_off
    }
}

impl Strategy for DepthFirst {
    fn next(&mut self) -> Option<Box<dyn Chooser>> {
        let mut fewest = self.branches.first_entry()?;
        let branch = fewest.get_mut().pop()?;
        if fewest.get().is_empty() {
            fewest.remove();
        }
        self.slept = Rc::default();
        let chooser = Walk {
            prefix: branch.prefix.clone(),
            given: branch.sleep.clone(),
            sleep: Vec::new(),
            slept: Rc::clone(&self.slept),
        };
        self.current = Some(branch);
        Some(Box::new(chooser))
    }

    fn learn(&mut self, trace: &[Step]) {
        let Some(branch) = self.current.take() else {
            return;
        };
        let slept = std::mem::take(&mut *self.slept.borrow_mut());
        let mut preemptions = branch.preemptions;
        let mut made = Vec::new();
        for (at, (step, slept)) in trace.iter().zip(slept).enumerate() {
            if at < branch.prefix.len() {
                continue;
            }
            if at >= DEEPEST {
                self.cut_off = true;
                break;
            }
            let last = at.checked_sub(1).map(|before| trace[before].actor);
            let mut sleep = slept;
            sleep.push((step.actor, step.effect()));
            for other in &step.candidates {
                let asleep = sleep.iter().any(|(actor, _)| *actor == other.actor);
                if asleep || other.readiness == Readiness::Yielded {
                    continue;
                }
                let mut prefix: Vec<usize> = trace[..at].iter().map(|step| step.actor).collect();
                prefix.push(other.actor);
                made.push(Branch {
                    prefix,
                    sleep: sleep.clone(),
                    preemptions: preemptions + cost(other, last, &step.candidates),
                });
                sleep.push((other.actor, other.next.clone()));
            }
            let chosen = step.candidates.iter().find(|one| one.actor == step.actor);
            preemptions += chosen.map_or(0, |chosen| cost(chosen, last, &step.candidates));
        }
        for branch in made {
            self.branches
                .entry(branch.preemptions)
                .or_default()
                .push(branch);
        }
    }

    fn complete(&self) -> Option<String> {
        match self.is_complete() {
            true => {
                Some("complete: every interleaving, up to the order of independent calls".into())
            }
            false => None,
        }
    }
}

/// One if somebody else would have gone on, or if who is in the section leaves it though others could do something.
fn cost(chosen: &Candidate, last: Option<usize>, all: &[Candidate]) -> usize {
    let ready = |one: &Candidate| one.readiness == Readiness::Ready;
    let preempts =
        last != Some(chosen.actor) && all.iter().any(|one| Some(one.actor) == last && ready(one));
    let hurries = !ready(chosen) && all.iter().any(ready);
    usize::from(preempts || hurries)
}

struct Walk {
    prefix: Vec<usize>,
    /// Who sleeps just before the last step of the prefix.
    given: Sleep,
    sleep: Sleep,
    slept: Rc<RefCell<Vec<Sleep>>>,
}

impl Chooser for Walk {
    fn choose(&mut self, view: &View<'_>) -> Option<usize> {
        let at = view.at();
        if at + 1 == self.prefix.len() {
            self.sleep = std::mem::take(&mut self.given);
        } else if at >= self.prefix.len()
            && let Some(last) = view.steps.last()
        {
            let effect = last.effect();
            self.sleep
                .retain(|(actor, asleep)| *actor != last.actor && asleep.commutes_with(&effect));
        }
        self.slept.borrow_mut().push(self.sleep.clone());
        if let Some(&actor) = self.prefix.get(at) {
            return view.find(actor).map(|candidate| candidate.actor);
        }
        let awake: Vec<Candidate> = view
            .candidates
            .iter()
            .filter(|candidate| {
                self.sleep
                    .iter()
                    .all(|(actor, _)| *actor != candidate.actor)
            })
            .cloned()
            .collect();
        // Those who look again and find what they have found lead nowhere while the others sleep.
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
        Some(awake.by_default())
    }
}

#[cfg(test)]
mod tests {
    use super::super::super::schedule::What;
    use super::super::super::syscalls::{Call, Effect, Operation};
    use super::*;

    /// Runs a program in which each actor makes these calls one after the other; gives the order of the calls in each schedule.
    fn explore(program: &[&[(Effect, &str)]]) -> (Vec<Vec<usize>>, usize, bool) {
        let mut search = DepthFirst::new();
        let (mut orders, mut known) = (Vec::new(), 0);
        while let Some(mut chooser) = search.next() {
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
                    last: steps.last().map(|step| step.actor),
                    steps: &steps,
                };
                let Some(actor) = chooser.choose(&view) else {
                    break true;
                };
                let nth = done[actor];
                done[actor] += 1;
                steps.push(Step {
                    actor,
                    nth,
                    what: What::Did {
                        call: call(actor, nth),
                        result: 0,
                        inode: None,
                    },
                    answers: Vec::new(),
                    candidates,
                });
            };
            search.learn(&steps);
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

    #[test]
    fn of_independent_steps_one_order_is_run() {
        let one = [(Effect::Modify, "a"), (Effect::Modify, "a")];
        let other = [(Effect::Modify, "b"), (Effect::Observe, "b")];
        let (orders, _, complete) = explore(&[&one, &other]);
        assert_eq!((orders.len(), complete), (1, true), "{orders:?}");
        // Two orders of the one pair that depends on each other.
        let (orders, ..) = explore(&[
            &[(Effect::Modify, "a")],
            &[(Effect::Observe, "b"), (Effect::Observe, "a")],
        ]);
        assert_eq!(orders.len(), 2, "{orders:?}");
    }
}
