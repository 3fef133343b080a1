//! The search is the same for any number of explorers, and after a pause.

use std::time::Duration;

use proptest::collection::vec;
use proptest::prelude::*;

use super::super::end::End;
use super::super::moves::Move;
use super::super::schedule::{Action, Candidate, Readiness, Step};
use super::super::strategy::{Choice, Plan, Shard, View};
use super::super::syscalls::{Call, Effect, Footprint, Operation};
use super::super::trace::Trace;
use super::*;
use crate::model::Scenario;

/// The calls of each of three actors.
const CALLS: [(Effect, &str); 4] = [
    (Effect::Claim, "a"),
    (Effect::Observe, "b"),
    (Effect::Modify, "a"),
    (Effect::Release, "b"),
];
const ACTORS: usize = 3;

fn call(nth: usize) -> Call {
    let (effect, target) = CALLS[nth];
    Call::from_outside(Operation::Open, effect, target)
}

/// Runs the calls in the order that a plan chooses. An order is a violation if its number is
/// divisible by `broken`.
fn run(plan: &Plan, broken: u64) -> Trace {
    let mut scheduler = plan.scheduler();
    let mut steps: Vec<Step> = Vec::new();
    let mut done = [0; ACTORS];
    let end = loop {
        let candidates: Vec<Candidate> = (0..ACTORS)
            .filter(|&actor| done[actor] < CALLS.len())
            .map(|actor| Candidate {
                actor,
                nth: done[actor],
                readiness: Readiness::Ready,
                next: Footprint::of(&call(done[actor]), false),
            })
            .collect();
        if candidates.is_empty() {
            let order = steps.iter().fold(7_u64, |sum, step| {
                sum.wrapping_mul(31).wrapping_add(step.actor as u64)
            });
            break match order % broken {
                0 => End::Overlap {
                    first: 0,
                    second: 1,
                },
                1 => End::LeaseExpired,
                _ => End::Clean,
            };
        }
        let view = View {
            candidates: &candidates,
            faults: &[],
            last: steps.last().map(|step| step.actor),
            steps: &steps,
        };
        let Some(Move::Step(actor)) = scheduler.choose(&view) else {
            break End::Known;
        };
        let nth = done[actor];
        done[actor] += 1;
        steps.push(Step {
            actor,
            nth,
            action: Action::called(call(nth), 0),
            answers: Vec::new(),
            candidates,
            faults: Vec::new(),
        });
    };
    Trace {
        end,
        steps,
        errors: Vec::new(),
        snapshots: Vec::new(),
    }
}

/// What a search shows: its counts, its extent, and the choices of its counterexample.
type Shown = (usize, usize, usize, Option<String>, Option<Vec<Move>>);

/// Searches with several explorers, which finish in an order that follows from `order`. The search
/// pauses after each of these numbers of finished tasks, and is saved.
fn search(
    planner: Planner,
    explorers: usize,
    order: &[usize],
    pauses: &[usize],
    limits: (usize, u64),
) -> Shown {
    search_on_server(planner, explorers, order, pauses, limits, None)
}

/// The same; that workers share a server is seen once more than `meet` tasks have finished.
fn search_on_server(
    mut planner: Planner,
    explorers: usize,
    order: &[usize],
    pauses: &[usize],
    (most, broken): (usize, u64),
    meet: Option<usize>,
) -> Shown {
    let mut finished = 0;
    let mut pauses = pauses.iter().copied();
    loop {
        let pause = pauses.next().map(|after| finished + after);
        let mut coordinator = Coordinator::new(&mut planner, Scenario::Contend, ACTORS, most);
        let mut at_work: Vec<Option<Task>> = vec![None; explorers];
        let is_over = loop {
            let mut stopped = 0;
            for (explorer, work) in at_work.iter_mut().enumerate() {
                if work.is_none() {
                    match coordinator.offer(explorer, false) {
                        Offer::Task(task) => *work = Some(task),
                        Offer::Wait => {}
                        Offer::Stop => stopped += 1,
                    }
                }
            }
            let busy: Vec<usize> = (0..explorers)
                .filter(|&explorer| at_work[explorer].is_some())
                .collect();
            if busy.is_empty() {
                assert_eq!(stopped, explorers, "all explorers wait for each other");
                break true;
            }
            if pause.is_some_and(|pause| finished >= pause) {
                break false;
            }
            let explorer = busy[order[finished % order.len()] % busy.len()];
            finished += 1;
            match at_work[explorer].take() {
                Some(Task::Run {
                    number,
                    plan,
                    restarts,
                }) => {
                    if meet.is_some_and(|meet| finished > meet) {
                        coordinator.go_on_alone();
                    }
                    coordinator.ran(number, restarts, Ok(run(&plan, broken)));
                }
                Some(Task::Confirm(trace)) => {
                    coordinator.confirmed(trace.clone(), Ok((trace, (10, 10))));
                }
                other => panic!("{other:?}"),
            }
        };
        let (tally, finding) = coordinator.finish().unwrap();
        if is_over {
            let found = finding.map(|finding| finding.trace.moves());
            let complete = planner.complete();
            return (
                tally.schedules,
                tally.known,
                tally.expiries,
                complete,
                found,
            );
        }
        let saved = serde_json::to_string(&planner).unwrap();
        planner = serde_json::from_str(&saved).unwrap();
    }
}

fn planner(choice: Choice, seed: u64, shard: &str) -> Planner {
    Planner::new(choice, seed, shard.parse().unwrap(), Duration::ZERO)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]
    #[test]
    fn the_search_does_not_depend_on_the_number_of_explorers_or_on_pauses(
        choice in 0..Choice::ALL.len(),
        seed in any::<u64>(),
        explorers in 1..9_usize,
        order in vec(0..9_usize, 1..20),
        pauses in vec(0..90_usize, 0..4),
        most in 1..250_usize,
        broken in prop_oneof![Just(1), 2..4_u64, 50..3_000_u64],
        shard in prop_oneof![Just("1/1"), Just("2/3")],
        meet in proptest::option::of(0..90_usize),
    ) {
        let choice = Choice::ALL[choice];
        let limits = (most, broken);
        let alone = search(planner(choice, seed, shard), 1, &[0], &[], limits);
        let of = planner(choice, seed, shard);
        let shared = search_on_server(of, explorers, &order, &pauses, limits, meet);
        prop_assert_eq!(alone, shared);
    }
}

#[test]
fn nobody_joins_in_before_it_is_known_whether_workers_share_a_server() {
    let mut planner = planner(Choice::Random, 1, "1/1");
    let mut coordinator = Coordinator::new(&mut planner, Scenario::Contend, ACTORS, 9);
    let Offer::Task(Task::Run { number, plan, .. }) = coordinator.offer(1, false) else {
        panic!("no work");
    };
    assert!(matches!(coordinator.offer(0, false), Offer::Wait));
    coordinator.go_on_alone();
    coordinator.ran(number, 0, Ok(run(&plan, u64::MAX)));
    assert!(matches!(coordinator.offer(1, false), Offer::Stop));
    assert!(matches!(coordinator.offer(0, false), Offer::Task(_)));
}

#[test]
fn the_systematic_search_is_complete_for_any_number_of_explorers() {
    let whole = || planner(Choice::DepthFirst, 1, "1/1");
    let alone = search(whole(), 1, &[0], &[], (usize::MAX, u64::MAX));
    let complete = alone.3.as_deref().unwrap();
    assert!(complete.starts_with("complete: every"), "{alone:?}");
    let shared = search(whole(), 5, &[3, 1, 4, 1, 5], &[100], (usize::MAX, u64::MAX));
    assert_eq!(alone, shared);
}

#[test]
fn shards_divide_the_systematic_search() {
    for choice in [Choice::Delays, Choice::DepthFirst] {
        let limits = (usize::MAX, u64::MAX);
        let of = |shard: &str| search(planner(choice, 1, shard), 2, &[0, 1], &[], limits);
        let whole = of("1/1");
        let shards: Vec<Shown> = ["1/3", "2/3", "3/3"].map(of).into();
        // Each begins with the same default schedule.
        let schedules: usize = shards.iter().map(|shard| shard.0).sum();
        assert_eq!(schedules, whole.0 + 2, "{choice:?}");
        assert!(shards.iter().all(|shard| shard.0 > whole.0 / 10));
        assert!(shards.iter().all(|shard| shard.3 == whole.3));
    }
}

#[test]
fn shards_divide_the_random_search() {
    let orders = |shard: Shard, count: usize| -> Vec<Vec<Move>> {
        let mut planner = Planner::new(Choice::Random, 5, shard, Duration::ZERO);
        let plans = (0..count).map(|number| {
            if !planner.plan_next() {
                // Nothing is learned from random walks.
                let steps = Vec::new();
                planner.judge(steps, super::tally::Record::default());
                assert!(planner.plan_next());
            }
            run(planner.plan(number).unwrap(), u64::MAX).moves()
        });
        plans.collect()
    };
    let whole = orders(Shard::WHOLE, 30);
    let halves = ["1/2", "2/2"].map(|half| orders(half.parse().unwrap(), 15));
    for (at, order) in whole.iter().enumerate() {
        assert_eq!(*order, halves[at % 2][at / 2]);
    }
}
