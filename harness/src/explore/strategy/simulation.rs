//! Strategies on simulated workers: every choice is possible, and the crashes that matter are tried.

use std::collections::HashSet;

use proptest::prelude::*;

use super::super::moves::{Fault, Move, faults};
use super::super::schedule::{Action, Candidate, Death, Readiness, Step};
use super::super::syscalls::{Call, Effect, Footprint, Operation};
use super::{Choice, Mix, Shard, Strategy as _, View};

/// The effects of the calls of each worker, all on one file.
type Program = Vec<Vec<Effect>>;

fn call(effect: Effect) -> Call {
    Call::from_outside(Operation::Open, effect, "a")
}

/// A schedule of the program with at most this many crashes; `None` if it was cut short or no
/// schedule is left.
fn schedule(program: &Program, crashes: usize, search: &mut Mix) -> Option<Vec<Step>> {
    let plan = search.next()?;
    let mut scheduler = plan.scheduler();
    let mut steps: Vec<Step> = Vec::new();
    let mut done = vec![0; program.len()];
    let mut dead = vec![false; program.len()];
    loop {
        let candidates: Vec<Candidate> = (0..program.len())
            .filter(|&actor| !dead[actor] && done[actor] < program[actor].len())
            .map(|actor| Candidate {
                actor,
                nth: done[actor],
                readiness: Readiness::Ready,
                next: Footprint::of(&call(program[actor][done[actor]]), false),
            })
            .collect();
        if candidates.is_empty() {
            search.learn(&plan, &steps);
            return Some(steps);
        }
        let is_spent = dead.iter().filter(|dead| **dead).count() >= crashes;
        let possible: Vec<Fault> = candidates
            .iter()
            .filter(|candidate| !is_spent && candidate.nth > 0)
            .map(|candidate| Fault {
                made: Move::Crash(candidate.actor),
                nth: candidate.nth,
                fresh: program[candidate.actor][candidate.nth - 1].changes(),
            })
            .collect();
        let view = View {
            candidates: &candidates,
            faults: &possible,
            last: steps.last().map(|step| step.actor),
            steps: &steps,
        };
        let Some(made) = scheduler.choose(&view) else {
            search.learn(&plan, &steps);
            return None;
        };
        assert!(view.allows(made), "{made:?} of {view:?}");
        let actor = made.actor();
        let nth = done[actor];
        let action = match made {
            Move::Step(_) => {
                done[actor] += 1;
                Action::called(call(program[actor][nth]), 0)
            }
            _ => {
                dead[actor] = true;
                Action::Crashed(Death {
                    before: None,
                    inside: false,
                })
            }
        };
        steps.push(Step {
            actor,
            nth,
            action,
            answers: Vec::new(),
            candidates,
            faults: possible,
        });
    }
}

fn moves(steps: &[Step]) -> Vec<Move> {
    steps.iter().map(Step::made).collect()
}

/// All schedules that the strategy runs to their end, up to this number.
fn all(program: &Program, crashes: usize, choice: Choice, most: usize) -> Vec<Vec<Move>> {
    let mut search = Mix::new(choice, 7, Shard::WHOLE);
    let run = |_| schedule(program, crashes, &mut search);
    (0..most)
        .filter_map(run)
        .map(|steps| moves(&steps))
        .collect()
}

/// The points of all crashes: an actor, and the number of its steps before.
fn points(schedules: &[Vec<Move>]) -> HashSet<(usize, usize)> {
    let mut points = HashSet::new();
    for moves in schedules {
        for (at, made) in moves.iter().enumerate() {
            if made.is_fault() {
                let own = moves[..at]
                    .iter()
                    .filter(|step| step.actor() == made.actor());
                points.insert((made.actor(), own.count()));
            }
        }
    }
    points
}

const MODIFIES_TWICE: [Effect; 3] = [Effect::Modify, Effect::Observe, Effect::Claim];

#[test]
fn a_crash_follows_each_change() {
    let program = vec![MODIFIES_TWICE.to_vec(); 2];
    for choice in [Choice::Delays, Choice::DepthFirst] {
        let schedules = all(&program, 1, choice, 10_000);
        // A crash after what only observes is one after the change before it.
        let expected = HashSet::from([(0, 1), (1, 1)]);
        assert_eq!(points(&schedules), expected, "{choice:?}");
    }
}

#[test]
fn delays_try_a_single_crash_soon() {
    let program = vec![vec![Effect::Modify; 4]; 3];
    let schedules = all(&program, 1, Choice::Delays, 10);
    let points = points(&schedules);
    let all = (0..3).flat_map(|actor| (1..4).map(move |nth| (actor, nth)));
    assert_eq!(points, all.collect(), "{schedules:?}");
}

#[test]
fn a_crash_meets_a_delay() {
    let program = vec![vec![Effect::Modify; 2]; 2];
    // Worker 0 is killed after worker 1 has taken one step, and worker 1 goes on; or at the end.
    let early = [Move::Step(0), Move::Step(1), Move::Crash(0), Move::Step(1)];
    let late = [Move::Step(0), Move::Step(1), Move::Step(1), Move::Crash(0)];
    for choice in [Choice::Delays, Choice::DepthFirst] {
        let schedules = all(&program, 1, choice, 1_000);
        for wanted in [early, late] {
            let found = schedules.contains(&wanted.to_vec());
            assert!(found, "{choice:?}: {wanted:?} of {schedules:?}");
        }
    }
}

#[test]
fn a_worker_is_delayed_while_another_is() {
    let program = vec![vec![Effect::Modify; 2]; 2];
    let schedules = all(&program, 0, Choice::Delays, 1_000);
    let wanted = [0, 1, 0, 1].map(Move::Step).to_vec();
    assert!(schedules.contains(&wanted), "{schedules:?}");
}

#[test]
fn every_order_with_a_crash_is_run_once() {
    let program = vec![vec![Effect::Modify; 2]; 2];
    let mut schedules = all(&program, 1, Choice::DepthFirst, 1_000);
    // 6 orders without a crash; for a crash of either worker after its first step, the other takes
    // 0, 1 or 2 steps before that step and the rest before or after the crash, unless it is done.
    let run = schedules.len();
    schedules.sort();
    schedules.dedup();
    assert_eq!(schedules.len(), run);
    let with_crash = schedules.iter().filter(|moves| faults(moves) == 1).count();
    assert_eq!((run - with_crash, with_crash), (6, 12), "{schedules:?}");
}

fn effect() -> impl Strategy<Value = Effect> {
    prop_oneof![
        Just(Effect::Modify),
        Just(Effect::Claim),
        Just(Effect::Observe)
    ]
}

/// The number of schedules that did not go as planned, of at most 200 of programs in turn, and what
/// was searched completely.
fn strayed(programs: &[&Program], crashes: usize, choice: Choice) -> (usize, Option<String>) {
    let mut search = Mix::new(choice, 7, Shard::WHOLE);
    for at in 0..200 {
        schedule(programs[at % programs.len()], crashes, &mut search);
    }
    (search.strayed(), search.complete(std::iter::empty()))
}

#[test]
fn a_worker_that_does_not_do_the_same_each_time_leaves_the_plan() {
    let [long, short] = [4, 1].map(|steps| vec![vec![Effect::Modify; steps]; 2]);
    for (choice, claim) in [
        (Choice::Delays, Some("complete up to 0 delays")),
        (Choice::DepthFirst, None),
    ] {
        assert_eq!(strayed(&[&long], 0, choice).0, 0, "{choice:?}");
        let (strayed, complete) = strayed(&[&long, &short], 0, choice);
        assert!(strayed > 0, "{choice:?}");
        assert_eq!(complete.as_deref(), claim, "{choice:?}");
    }
}

proptest! {
    /// Otherwise a report would call a worker unsteady that does the same each time.
    #[test]
    fn a_worker_that_does_the_same_each_time_follows_each_plan(
        program in prop::collection::vec(prop::collection::vec(effect(), 1..5), 2..4),
        crashes in 0..3_usize,
        choice in prop::sample::select(Choice::ALL.to_vec()),
    ) {
        prop_assert_eq!(strayed(&[&program], crashes, choice).0, 0);
    }

    /// [`schedule`] asserts that each choice is possible.
    #[test]
    fn no_strategy_chooses_what_is_not_possible(
        program in prop::collection::vec(prop::collection::vec(effect(), 1..5), 2..4),
        crashes in 0..3_usize,
        choice in prop::sample::select(Choice::ALL.to_vec()),
    ) {
        for moves in all(&program, crashes, choice, 60) {
            prop_assert!(faults(&moves) <= crashes);
        }
    }
}
