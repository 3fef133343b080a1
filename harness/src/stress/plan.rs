//! How long and how hard a lock is tried.

use std::time::Duration;

use super::choices::Pauses;
use crate::model::{Role, Scenario};
use crate::protocol::{Capabilities, Capability};

/// Enough for several of the long sections in which somebody else may come in after such a deed.
const EXPOSURES: Duration = Duration::from_millis(800);

/// What a user may choose.
#[derive(Clone, Debug)]
pub struct Options {
    /// Of all random choices. The workers' timing is their own, so the same seed gives the same load, not the same history.
    pub seed: u64,
    /// For all scenarios together; starting workers and waiting for a lock that is stuck come on top.
    pub duration: Duration,
    /// Workers, where processes compete.
    pub workers: usize,
    /// Slots of the one worker, where threads compete.
    pub threads: usize,
    /// How long a section lasts at most.
    pub hold: Duration,
    /// The time after which the lock may give itself to somebody else while its holder lives.
    pub lease: Option<Duration>,
    /// For how long nobody may get the lock before it is called stuck.
    pub stuck_after: Option<Duration>,
    /// Only these; all that the lock can take part in, if there are none.
    pub scenarios: Vec<Scenario>,
    /// Hazards count as promises do.
    pub deny_hazards: bool,
}

/// What will run, and what will not.
#[derive(Debug)]
pub(super) struct Shares {
    /// For how long each.
    pub able: Vec<(Scenario, Duration)>,
    /// Why not.
    pub unable: Vec<(Scenario, String)>,
}

impl Default for Options {
    fn default() -> Self {
        Options {
            seed: 1,
            duration: Duration::from_secs(20),
            workers: 4,
            threads: 4,
            hold: Duration::from_micros(800),
            lease: None,
            stuck_after: None,
            scenarios: Vec::new(),
            deny_hazards: false,
        }
    }
}

impl Options {
    /// For how long nobody may get the lock before it is called stuck: longer than any lease that is likely.
    pub fn stuck_after(&self) -> Duration {
        let at_least = self
            .lease
            .map_or(Duration::ZERO, |lease| 3 * lease + Duration::from_secs(2));
        self.stuck_after
            .unwrap_or(Duration::from_secs(30).max(at_least))
    }

    /// Whether the verdict on this scenario decides about the exit status.
    pub fn counts(&self, scenario: Scenario) -> bool {
        scenario.role() == Role::Promise || self.deny_hazards || self.scenarios.contains(&scenario)
    }

    /// Which scenarios run, for how long each; and those that were wished for but cannot run, with the reason.
    pub(super) fn shares(&self, can: &Capabilities) -> Shares {
        let wished: Vec<Scenario> = Scenario::ALL
            .into_iter()
            .filter(|scenario| self.scenarios.is_empty() || self.scenarios.contains(scenario))
            .collect();
        let (able, unable): (Vec<_>, Vec<_>) = wished
            .into_iter()
            .partition(|scenario| scenario.needs().is_none_or(|needs| can.has(needs)));
        let weights: u32 = able.iter().map(|scenario| scenario.weight()).sum();
        let shares = able
            .into_iter()
            .map(|scenario| {
                let share = self.duration * scenario.weight() / weights.max(1);
                let at_least = match scenario {
                    Scenario::Pause => Pauses::new(self.lease).long() * 5 / 4,
                    Scenario::Unlink | Scenario::Fork | Scenario::Reopen => EXPOSURES,
                    _ => Duration::ZERO,
                };
                (scenario, share.max(at_least))
            })
            .collect();
        let reasons = unable
            .into_iter()
            .filter_map(|scenario| {
                let needs = scenario.needs()?;
                let why = match needs {
                    Capability::Wrapper => "only for a command that is tried with --wrapper".into(),
                    needs if can.has(Capability::Wrapper) => format!(
                        "not with --wrapper: it takes a worker that offers `{}`",
                        needs.word()
                    ),
                    needs => format!("the worker does not offer `{}`", needs.word()),
                };
                Some((scenario, why))
            })
            .collect();
        Shares {
            able: shares,
            unable: reasons,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_time_is_shared_among_those_that_can_run() {
        let options = Options::default();
        let can = [Capability::Threads].into_iter().collect();
        let Shares {
            able: shares,
            unable,
        } = options.shares(&can);
        let whole: Duration = shares.iter().map(|(_, share)| *share).sum();
        assert!(
            whole.abs_diff(options.duration) < Duration::from_millis(500),
            "{whole:?}"
        );
        assert_eq!(shares.len() + unable.len(), Scenario::ALL.len());
        assert!(unable.contains(&(
            Scenario::Remove,
            "the worker does not offer `remove`".into()
        )));
    }

    #[test]
    fn hazards_count_when_they_are_named() {
        let mut options = Options::default();
        assert!(options.counts(Scenario::Die) && !options.counts(Scenario::Pause));
        options.scenarios = vec![Scenario::Pause];
        assert!(options.counts(Scenario::Pause));
        options = Options {
            deny_hazards: true,
            ..Options::default()
        };
        assert!(options.counts(Scenario::Fork));
    }
}
