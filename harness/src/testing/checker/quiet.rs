//! A try or a timed wait is refused although nobody else had anything to do with the lock meanwhile.
//!
//! Weaker than [`super::refusals`], and what a run reports: an attempt that fails may exclude others for a moment (a lock of two
//! parts holds the first while it finds the second held), and no lock promises otherwise. So a refusal is held against the lock only if
//! from before the call until after its return no other worker held the lock, asked for it, was being answered, or was being
//! killed with it. Preemption only ever makes those times longer: a worker writes *asked* before its call and *released* after its return.

use super::story::{self, milliseconds};
use super::workers::Workers;
use crate::testing::history::{Event, Kind, Patience};

#[derive(Clone, Copy, Debug, Default)]
struct Worker {
    /// Where it asked; `None` when it neither waits nor holds.
    asked: Option<usize>,
    patience: Option<Patience>,
}

/// The evidence of the first such refusal.
pub(super) fn check(history: &[Event]) -> Option<String> {
    let mut workers: Workers<Worker> = Workers::new();
    let mut active = 0usize;
    // The only worker that has to do with the lock, if there was no other since it asked.
    let mut alone: Option<u32> = None;
    // One that was killed in a call may hold the lock for a moment longer: until somebody has acquired it who asked later.
    let mut last_death: Option<usize> = None;
    let mut last_timeout: Option<usize> = None;
    let mut last_release: Option<usize> = None;
    for (at, event) in history.iter().enumerate() {
        let worker = workers.of(event.worker);
        match event.kind {
            Kind::Asked { patience, .. } => {
                alone = (active == 0 && last_death.is_none()).then_some(event.worker);
                active += usize::from(worker.asked.is_none());
                worker.asked = Some(at);
                worker.patience = Some(patience);
            }
            Kind::Acquired => {
                if last_death < worker.asked {
                    last_death = None;
                }
            }
            Kind::Busy | Kind::TimedOut => {
                let Some(asked) = worker.asked.take() else {
                    continue;
                };
                active -= 1;
                if alone == Some(event.worker) {
                    let given_up = last_timeout.filter(|_| last_timeout > last_release);
                    return Some(evidence(history, asked, at, given_up));
                }
                if event.kind == Kind::TimedOut {
                    last_timeout = Some(at);
                }
            }
            Kind::Released => {
                last_release = Some(at);
                active -= usize::from(worker.asked.take().is_some());
            }
            Kind::Failed => active -= usize::from(worker.asked.take().is_some()),
            Kind::Died => {
                if worker.asked.take().is_some() {
                    active -= 1;
                    last_death = Some(at);
                }
            }
            Kind::Releasing => {}
        }
    }
    None
}

fn evidence(history: &[Event], asked: usize, at: usize, given_up: Option<usize>) -> String {
    let event = history[at];
    let before = history[..asked]
        .iter()
        .rfind(|event| event.kind == Kind::Released);
    let free = match before {
        Some(released) => format!(
            "worker {} had released it {} before, and nobody had asked since",
            released.worker,
            milliseconds(history[asked].time - released.time)
        ),
        None => "nobody had held it before".into(),
    };
    let answer = match event.kind {
        Kind::Busy => "that the lock is held",
        _ => "that its time is over",
    };
    let who = match given_up {
        Some(wait) => format!(
            "; the wait of worker {} had been given up after the last release: it may hold the lock",
            history[wait].worker
        ),
        None => String::new(),
    };
    format!(
        "the lock was free, and worker {} was told {answer}, {} after it asked: {free}{who}{}",
        event.worker,
        milliseconds(event.time - history[asked].time),
        story::of(history, asked, at)
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::history::Mode;

    const ASKED: Kind = Kind::Asked {
        mode: Mode::Exclusive,
        patience: Patience::None,
    };

    fn check(events: &[(u32, Kind)]) -> Option<String> {
        let event = |(time, &(worker, kind)): (u64, &(u32, Kind))| Event { time, worker, kind };
        super::check(&(0..).zip(events).map(event).collect::<Vec<_>>())
    }

    const HOLDS: [(u32, Kind); 4] = [
        (0, ASKED),
        (0, Kind::Acquired),
        (0, Kind::Releasing),
        (0, Kind::Released),
    ];

    #[test]
    fn a_refusal_beside_nobody_is_a_breach_which_says_who_released_before() {
        let story = check(&[HOLDS.as_slice(), &[(1, ASKED), (1, Kind::Busy)]].concat()).unwrap();
        assert!(
            story.contains("worker 1 was told that the lock is held")
                && story.contains("worker 0 had released it"),
            "{story}"
        );
        assert!(check(&[(1, ASKED), (1, Kind::Busy)]).is_some());
    }

    /// Whoever had to do with the lock at any moment of the call excuses it, whatever became of that one.
    #[test]
    fn a_refusal_is_excused_by_everybody_who_may_have_held_it() {
        for excuse in [&HOLDS[..], &HOLDS[..3], &HOLDS[..1]] {
            let before = [excuse, &[(1, ASKED), (1, Kind::Busy)]].concat();
            let ended = excuse.len() == HOLDS.len();
            assert_eq!(check(&before).is_some(), ended, "{before:?}");
            let meanwhile = [&[(1, ASKED)], excuse, &[(1, Kind::Busy)]].concat();
            assert_eq!(check(&meanwhile), None, "{meanwhile:?}");
        }
        for answer in [Kind::Busy, Kind::TimedOut, Kind::Failed] {
            let both = [(0, ASKED), (1, ASKED), (0, answer), (1, Kind::Busy)];
            assert_eq!(check(&both), None, "{answer:?}");
        }
    }

    #[test]
    fn one_that_was_killed_may_hold_the_lock_until_another_has_acquired_it() {
        let refused = [(1, ASKED), (1, Kind::Busy)];
        let dead = [(0, ASKED), (0, Kind::Acquired), (0, Kind::Died)];
        assert_eq!(check(&[&dead[..], &refused].concat()), None);
        let acquired = HOLDS.map(|(_, kind)| (2, kind));
        let story = check(&[&dead[..], &acquired, &refused].concat());
        assert!(story.is_some());
        // Asked before the death: it may have had the lock before the dead one.
        let both = [
            (2, ASKED),
            (2, Kind::Acquired),
            (0, ASKED),
            (0, Kind::Died),
            (2, Kind::Releasing),
            (2, Kind::Released),
        ];
        assert_eq!(check(&[&both[..], &refused].concat()), None);
    }
}
