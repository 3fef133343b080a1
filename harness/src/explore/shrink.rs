//! Shrinks a counterexample: first fewer context switches, then fewer steps, with the same end.

use std::time::{Duration, Instant};

use super::controller::Controller;
use super::deaths::is_change;
use super::end::End;
use super::error::ExploreError;
use super::moves::{Move, faults, segments, switches};
use super::schedule::Action;
use super::search::{Search, same_end};
use super::trace::Trace;

/// Time limit of shrinking.
const LIMIT: Duration = Duration::from_secs(15);
/// Time limit for a schedule that gets stuck, which is long by nature.
const LIMIT_IF_STUCK: Duration = Duration::from_secs(3);

/// Moves, each with the number of times that it is made in a row.
type Segments = Vec<(Move, usize)>;

/// Maximum number of steps by which a crash is moved so that its story is complete.
const LATER: usize = 8;

impl Search<'_> {
    /// The shortest schedule with the same end that is found in time.
    pub(super) fn shrink(
        &self,
        controller: &mut Controller<'_>,
        found: Trace,
    ) -> Result<Trace, ExploreError> {
        let limit = match found.end {
            End::Stuck(_) | End::Polls(_) => LIMIT_IF_STUCK,
            _ => LIMIT,
        };
        let limit = limit + 20 * self.settle_time;
        let began = Instant::now();
        let mut best = found;
        'again: loop {
            let parts = segments(&best.essential_moves());
            for candidate in shorter(&parts) {
                if began.elapsed() > limit {
                    break 'again;
                }
                let trace = self.follow(controller, &candidate, false)?;
                if trace.end == End::Interrupted {
                    return Ok(best);
                }
                if same_end(&trace.end, &best.end) && size(&trace) < size(&best) {
                    best = trace;
                    continue 'again;
                }
            }
            break;
        }
        self.explain(controller, best)
    }

    /// Moves the last crash of a worker to just before its next change, if the end stays the same:
    /// what it only observes in between makes no difference, and the change is what is missing.
    fn explain(&self, controller: &mut Controller<'_>, best: Trace) -> Result<Trace, ExploreError> {
        let before_a_change = |trace: &Trace| {
            let mut steps = trace.steps.iter().rev();
            let death = steps.find_map(|step| match &step.action {
                Action::Crashed(death) => Some(death),
                _ => None,
            });
            death.is_none_or(|death| match &death.before {
                Some(call) => is_change(call),
                None => true,
            })
        };
        let mut moves = best.essential_moves();
        for _ in 0..LATER {
            let last = moves.iter().rposition(|made| made.is_fault());
            let Some(at) = last.filter(|_| !before_a_change(&best)) else {
                break;
            };
            moves.insert(at, Move::Step(moves[at].actor()));
            let trace = self.follow(controller, &moves, false)?;
            if !same_end(&trace.end, &best.end) || !trace.moves().starts_with(&moves) {
                break;
            }
            if before_a_change(&trace) {
                return Ok(trace);
            }
        }
        Ok(best)
    }
}

/// Number of faults, of context switches and of steps.
fn size(trace: &Trace) -> (usize, usize, usize) {
    size_of(&trace.essential_moves())
}

fn size_of(moves: &[Move]) -> (usize, usize, usize) {
    (faults(moves), switches(moves), moves.len())
}

fn flat(parts: &[(Move, usize)]) -> Vec<Move> {
    parts
        .iter()
        .flat_map(|&(made, count)| std::iter::repeat_n(made, count))
        .collect()
}

/// Schedules with fewer faults, switches or steps: a segment is joined with an earlier or later one
/// of the same actor, shortened, or removed; a fault is moved elsewhere.
fn shorter(parts: &Segments) -> Vec<Vec<Move>> {
    let mut all = Vec::new();
    // Joins all later segments of an actor with this one.
    for at in 0..parts.len() {
        let (actor, _) = parts[at];
        let later: usize = parts[at + 1..]
            .iter()
            .filter(|(other, _)| *other == actor)
            .map(|(_, count)| count)
            .sum();
        if later > 0 {
            let mut joined: Segments = parts[..=at].to_vec();
            joined[at].1 += later;
            joined.extend(parts[at + 1..].iter().filter(|(other, _)| *other != actor));
            all.push(flat(&joined));
        }
    }
    for at in 0..parts.len() {
        let mut without = parts.clone();
        let taken = without.remove(at);
        all.push(flat(&without));
        if let Some(later) = (at..without.len()).find(|&later| without[later].0 == taken.0) {
            let mut joined = without.clone();
            joined[later].1 += taken.1;
            all.push(flat(&joined));
        }
        if let Some(earlier) = (0..at).rev().find(|&earlier| without[earlier].0 == taken.0) {
            let mut joined = without.clone();
            joined[earlier].1 += taken.1;
            all.push(flat(&joined));
        }
        if parts[at].1 > 1 {
            let mut fewer = parts.clone();
            fewer[at].1 -= 1;
            all.push(flat(&fewer));
        }
    }
    // Removes two segments where removing one does not help.
    for first in 0..parts.len() {
        for second in first + 1..parts.len() {
            let mut without = parts.clone();
            without.remove(second);
            without.remove(first);
            all.push(flat(&without));
        }
    }
    all.extend(with_a_fault_moved(parts));
    all
}

/// The same segments with one fault between two others. That alone is not shorter, but its outcome
/// may be.
fn with_a_fault_moved(parts: &Segments) -> Vec<Vec<Move>> {
    let mut all = Vec::new();
    for from in 0..parts.len() {
        if !parts[from].0.is_fault() {
            continue;
        }
        for to in (0..parts.len()).filter(|to| *to != from) {
            let mut moved = parts.clone();
            let fault = moved.remove(from);
            moved.insert(to, fault);
            all.push(flat(&moved));
        }
    }
    all
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_candidate_is_shorter_in_some_way() {
        use Move::Step;
        let parts = vec![(Step(0), 3), (Step(1), 2), (Step(0), 1), (Step(2), 4)];
        let before = flat(&parts);
        let all = shorter(&parts);
        let joined = [0, 0, 0, 0, 1, 1, 2, 2, 2, 2].map(Step);
        assert!(all.contains(&joined.to_vec()));
        for moves in all {
            assert!(size_of(&moves) < size_of(&before), "{moves:?}");
        }
    }

    #[test]
    fn a_crash_is_dropped_and_moved() {
        use Move::{Crash, Step};
        let parts = vec![(Step(0), 1), (Step(1), 2), (Crash(0), 1), (Step(1), 1)];
        let all = shorter(&parts);
        let dropped = [0, 1, 1, 1].map(Step).to_vec();
        let moved = vec![Step(0), Crash(0), Step(1), Step(1), Step(1)];
        assert!(all.contains(&dropped) && all.contains(&moved), "{all:?}");
        for moves in all {
            assert!(size_of(&moves) <= size_of(&flat(&parts)), "{moves:?}");
        }
    }
}
