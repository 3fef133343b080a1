//! Shrinks a counterexample: first fewer context switches, then fewer steps, with the same end.

use std::time::{Duration, Instant};

use super::controller::Controller;
use super::end::End;
use super::error::ExploreError;
use super::schedule::{segments, switches};
use super::search::{Search, same_end};
use super::trace::Trace;

/// Time limit of shrinking.
const LIMIT: Duration = Duration::from_secs(15);
/// Time limit for a schedule that gets stuck, which is long by nature.
const LIMIT_IF_STUCK: Duration = Duration::from_secs(3);

/// Actors with numbers of consecutive steps.
type Segments = Vec<(usize, usize)>;

impl Search<'_> {
    /// The shortest schedule with the same end that is found in time.
    pub(super) fn shrink(
        &self,
        controller: &mut Controller<'_>,
        found: Trace,
    ) -> Result<Trace, ExploreError> {
        let limit = match found.end {
            End::Stuck(_) => LIMIT_IF_STUCK,
            _ => LIMIT,
        };
        let limit = limit + 20 * self.settle_time;
        let began = Instant::now();
        let mut best = found;
        'again: loop {
            let parts = segments(&best.choices());
            for candidate in shorter(&parts) {
                if began.elapsed() > limit {
                    return Ok(best);
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
            return Ok(best);
        }
    }
}

fn size(trace: &Trace) -> (usize, usize) {
    (switches(&trace.choices()), trace.steps.len())
}

fn flat(parts: &[(usize, usize)]) -> Vec<usize> {
    parts
        .iter()
        .flat_map(|&(actor, count)| std::iter::repeat_n(actor, count))
        .collect()
}

/// Schedules with fewer switches or steps: a segment is joined with an earlier or later one of the
/// same actor, shortened, or removed.
fn shorter(parts: &Segments) -> Vec<Vec<usize>> {
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
    all
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_candidate_is_shorter_in_some_way() {
        let parts = vec![(0, 3), (1, 2), (0, 1), (2, 4)];
        let before = flat(&parts);
        let all = shorter(&parts);
        assert!(all.contains(&vec![0, 0, 0, 0, 1, 1, 2, 2, 2, 2]));
        for choices in all {
            assert!(
                (switches(&choices), choices.len()) < (switches(&before), before.len()),
                "{choices:?}"
            );
        }
    }
}
