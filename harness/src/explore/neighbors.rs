//! Schedules that differ from a counterexample by one change.

use super::command::Command;
use super::moves::Move;
use super::schedule::{Action, Step};
use super::story::who;
use super::trace::Trace;
use crate::model::Verb;

/// The search for the nearest schedule that does not break the lock.
#[derive(Clone, Debug)]
pub struct Neighbors {
    /// Number of schedules tried.
    pub tried: usize,
    /// The nearest that does not break the lock.
    pub nearest: Option<Neighbor>,
}

/// A schedule with one change to another one.
#[derive(Clone, Debug)]
pub struct Neighbor {
    /// The change, in a sentence.
    pub difference: String,
    /// The schedule.
    pub trace: Trace,
}

/// Number of first steps that both traces have in common.
pub fn common_steps(one: &Trace, other: &Trace) -> usize {
    let pairs = one.steps.iter().zip(&other.steps);
    pairs
        .take_while(|(one, other)| one.made() == other.made() && one.answers == other.answers)
        .count()
}

/// A schedule with one change to a counterexample.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Change {
    pub moves: Vec<Move>,
    /// The change, in a sentence.
    pub difference: String,
}

/// All changes, the smallest first: a fault one step of its worker earlier or later, then a context
/// switch one step later or earlier, from the last to the first, then no fault.
pub fn changes(trace: &Trace) -> Vec<Change> {
    let moves = trace.essential_moves();
    let mut all = Vec::new();
    for at in (0..moves.len()).rev().filter(|&at| moves[at].is_fault()) {
        all.extend(earlier_fault(&moves, at));
        all.push(later_fault(&moves, at));
    }
    let switches = (1..moves.len()).rev().filter(|&at| {
        let pair = [moves[at - 1], moves[at]];
        pair[0] != pair[1] && !pair.iter().any(|made| made.is_fault())
    });
    for at in switches {
        all.extend(later_switch(trace, &moves, at));
        all.extend(earlier_switch(trace, &moves, at));
    }
    for at in (0..moves.len()).rev().filter(|&at| moves[at].is_fault()) {
        let mut moves = moves.clone();
        let fault = moves.remove(at);
        let difference = format!("without step {}: {}", at + 1, spared(fault));
        all.push(Change { moves, difference });
    }
    all
}

/// A fault in words.
fn happens(fault: Move) -> String {
    match fault {
        Move::Step(actor) => format!("worker {actor} goes on"),
        Move::Crash(actor) => format!("worker {actor} is killed"),
        Move::KillWrapper(actor) => format!("the wrapper of worker {actor} is killed"),
        Move::Expire(actor) => format!("the lease of worker {actor} runs out"),
    }
}

/// The absence of a fault in words.
fn spared(fault: Move) -> String {
    match fault {
        Move::Step(actor) => format!("worker {actor} waits"),
        Move::Crash(actor) => format!("worker {actor} is not killed"),
        Move::KillWrapper(actor) => format!("the wrapper of worker {actor} is not killed"),
        Move::Expire(actor) => format!("the lease of worker {actor} does not run out"),
    }
}

/// The fault at `at` before the previous step of its worker.
fn earlier_fault(moves: &[Move], at: usize) -> Option<Change> {
    let own = Move::Step(moves[at].actor());
    let before = moves[..at].iter().rposition(|made| *made == own)?;
    let mut changed = moves.to_vec();
    let fault = changed.remove(at);
    changed.insert(before, fault);
    Some(Change {
        moves: changed,
        difference: format!(
            "{} before step {} instead of after it",
            happens(fault),
            before + 1
        ),
    })
}

/// The fault at `at` after one more step of its worker.
fn later_fault(moves: &[Move], at: usize) -> Change {
    let fault = moves[at];
    let mut changed = moves.to_vec();
    changed.insert(at, Move::Step(fault.actor()));
    Change {
        moves: changed,
        difference: format!("{} one step of its own later", happens(fault)),
    }
}

/// The switch before `at` one step later: the worker that was going on takes one more step. A worker
/// in the section stays there; that it could leave is no news.
fn later_switch(trace: &Trace, moves: &[Move], at: usize) -> Option<Change> {
    let goes_on = moves[at - 1];
    let actor = goes_on.actor();
    if is_inside(trace, actor, at) {
        return None;
    }
    let mut changed = moves.to_vec();
    let next = moves[at..].iter().position(|made| *made == goes_on);
    if let Some(next) = next {
        changed.remove(at + next);
    }
    changed.insert(at, goes_on);
    let name = actor_name(trace, actor);
    let difference = match next {
        Some(next) => format!(
            "{name} takes its step {} earlier, before step {}",
            at + next + 1,
            at + 1
        ),
        None => format!("{name} takes one more step before step {}", at + 1),
    };
    Some(Change {
        moves: changed,
        difference,
    })
}

/// The switch before `at` one step earlier: the last step before it is taken when its worker goes on
/// again.
fn earlier_switch(trace: &Trace, moves: &[Move], at: usize) -> Option<Change> {
    let last = moves[at - 1];
    let actor = last.actor();
    // A worker that has not begun to release would only stay longer.
    if is_release(trace.steps.get(at - 1)?) {
        return None;
    }
    let mut changed = moves.to_vec();
    let next = moves[at..].iter().position(|made| *made == last);
    let name = actor_name(trace, actor);
    let difference = match next {
        Some(next) => {
            changed.insert(at + next, last);
            format!("{name} takes step {at} later, after step {}", at + next)
        }
        None => format!("{name} takes step {at} later, after all others"),
    };
    changed.remove(at - 1);
    Some(Change {
        moves: changed,
        difference,
    })
}

/// Returns `true` if the worker is in the section before step `at`.
fn is_inside(trace: &Trace, actor: usize, at: usize) -> bool {
    let own = trace.steps[..at].iter().filter(|step| step.actor == actor);
    own.fold(false, |inside, step| {
        (inside && !is_release(step)) || step.enters()
    })
}

fn is_release(step: &Step) -> bool {
    step.action == Action::Commanded(Command::Verb(Verb::Release))
}

fn actor_name(trace: &Trace, actor: usize) -> String {
    who(actor, trace)
}

#[cfg(test)]
mod tests {
    use super::super::end::End;
    use super::super::schedule::Death;
    use super::*;
    use crate::protocol::Answer;

    fn step(actor: usize, action: Action, answers: Vec<Answer>) -> Step {
        Step {
            actor,
            nth: 0,
            action,
            answers,
            candidates: Vec::new(),
            faults: Vec::new(),
        }
    }

    fn asks(actor: usize) -> Step {
        let command = Command::Verb(Verb::Acquire);
        step(actor, Action::Commanded(command), Vec::new())
    }

    fn trace(steps: Vec<Step>) -> Trace {
        Trace {
            steps,
            end: End::Clean,
            errors: Vec::new(),
            snapshots: Vec::new(),
        }
    }

    #[test]
    fn a_switch_is_moved_by_one_step() {
        use Move::Step;
        let trace = trace(vec![asks(1), asks(1), asks(0), asks(0), asks(1)]);
        let all = changes(&trace);
        let moves: Vec<Vec<Move>> = all.iter().map(|change| change.moves.clone()).collect();
        let expected = [
            // The switch before the last step.
            vec![1, 1, 0, 0, 0, 1],
            vec![1, 1, 0, 1],
            // The first switch.
            vec![1, 1, 1, 0, 0],
            vec![1, 0, 0, 1, 1],
        ];
        let expected = expected.map(|moves| moves.into_iter().map(Step).collect::<Vec<_>>());
        assert_eq!(moves, expected);
        let texts: Vec<&str> = all.iter().map(|change| &*change.difference).collect();
        assert_eq!(
            texts,
            [
                "worker 0 takes one more step before step 5",
                "worker 0 takes step 4 later, after all others",
                "worker 1 takes its step 5 earlier, before step 3",
                "worker 1 takes step 2 later, after step 4",
            ]
        );
    }

    #[test]
    fn a_worker_in_the_section_stays_there() {
        let mut enters = asks(0);
        enters.answers.push(Answer::Acquired(None));
        let trace = trace(vec![enters, asks(1)]);
        let all = changes(&trace);
        let moves: Vec<Vec<Move>> = all.into_iter().map(|change| change.moves).collect();
        assert_eq!(moves, [vec![Move::Step(1)]]);
    }

    #[test]
    fn a_crash_is_moved_and_dropped() {
        use Move::{Crash, Step};
        let death = Death {
            before: None,
            inside: false,
        };
        let crash = step(0, Action::Crashed(death), Vec::new());
        let trace = trace(vec![asks(0), asks(0), crash, asks(1)]);
        let all = changes(&trace);
        let expected = [
            vec![Step(0), Crash(0), Step(0), Step(1)],
            vec![Step(0), Step(0), Step(0), Crash(0), Step(1)],
        ];
        assert_eq!(all[0].moves, expected[0]);
        assert_eq!(all[1].moves, expected[1]);
        let last = all.last().unwrap();
        assert_eq!(last.moves, [Step(0), Step(0), Step(1)]);
        assert_eq!(last.difference, "without step 3: worker 0 is not killed");
    }

    #[test]
    fn the_common_steps_end_at_the_first_difference() {
        let one = trace(vec![asks(0), asks(1), asks(0)]);
        let mut other = trace(vec![asks(0), asks(1), asks(1)]);
        assert_eq!(common_steps(&one, &other), 2);
        other.steps[1].answers.push(Answer::Busy);
        assert_eq!(common_steps(&one, &other), 1);
    }
}
