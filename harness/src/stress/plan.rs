//! Options of a trial, and the share of time of each scenario.

use std::time::Duration;

use super::choices::Pauses;
use crate::model::{Role, Scenario};
use crate::protocol::{Capabilities, Capability};
use crate::sys::{Means, NotAvailable, lacks};

/// Enough time for several of the long holds that follow such a fault.
const EXPOSURES: Duration = Duration::from_millis(800);

/// Options of a trial.
#[derive(Clone, Debug)]
pub struct Options {
    /// Seed of every random choice. Workers keep their own timing, so the same seed gives the same
    /// load, not the same history.
    pub seed: u64,
    /// Duration of all scenarios together, without the start of workers and the wait for a stuck
    /// lock.
    pub duration: Duration,
    /// Number of worker processes.
    pub workers: usize,
    /// Number of threads of the worker in the scenario `threads`.
    pub threads: usize,
    /// Longest hold.
    pub hold: Duration,
    /// Lease after which the lock may be given to another worker while its holder lives.
    pub lease: Option<Duration>,
    /// Time without an acquisition after which the verdict is *stuck*.
    pub stuck_after: Option<Duration>,
    /// Scenarios to run; all that the lock supports if empty.
    pub scenarios: Vec<Scenario>,
    /// `true` if hazards affect the exit status.
    pub deny_hazards: bool,
}

/// Scenarios that will run, and those that cannot.
#[derive(Debug)]
pub(super) struct Shares {
    /// Each scenario with its share of the time.
    pub able: Vec<(Scenario, Duration)>,
    /// Each scenario with the reason.
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
    /// Time without an acquisition after which the verdict is *stuck*; by default longer than any
    /// likely lease.
    pub fn stuck_after(&self) -> Duration {
        let at_least = self
            .lease
            .map_or(Duration::ZERO, |lease| 3 * lease + Duration::from_secs(2));
        self.stuck_after
            .unwrap_or(Duration::from_secs(30).max(at_least))
    }

    /// Returns `true` if the scenario affects the exit status.
    pub fn counts(&self, scenario: Scenario) -> bool {
        scenario.role() == Role::Promise || self.deny_hazards || self.scenarios.contains(&scenario)
    }

    /// Divides the time among the requested scenarios that the worker supports.
    pub(super) fn shares(&self, capabilities: &Capabilities) -> Shares {
        let requested: Vec<Scenario> = Scenario::stressable()
            .filter(|scenario| self.scenarios.is_empty() || self.scenarios.contains(scenario))
            .collect();
        let (able, unable): (Vec<_>, Vec<_>) = requested.into_iter().partition(|scenario| {
            missing(*scenario).is_none()
                && scenario.needs().is_none_or(|needs| capabilities.has(needs))
        });
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
                if let Some(missing) = missing(scenario) {
                    return Some((scenario, missing.to_string()));
                }
                let needs = scenario.needs()?;
                let why = match needs {
                    Capability::Wrapper => "only with --wrapper".into(),
                    needs if capabilities.has(Capability::Wrapper) => format!(
                        "not available with --wrapper: needs a worker that offers `{}`",
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

/// A facility that the scenario needs, whatever the worker offers, and that this system lacks.
fn missing(scenario: Scenario) -> Option<NotAvailable> {
    let means = match scenario {
        Scenario::Pause => Means::Signals,
        Scenario::Fork => Means::Fork,
        Scenario::WrapperKill => Means::NamedPipes,
        Scenario::Contend
        | Scenario::Threads
        | Scenario::Die
        | Scenario::Crash
        | Scenario::Expire
        | Scenario::Respawn
        | Scenario::Remove
        | Scenario::Unlink
        | Scenario::Reopen => return None,
    };
    lacks(means)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_time_is_shared_among_those_that_can_run() {
        let options = Options::default();
        let capabilities = [Capability::Threads].into_iter().collect();
        let Shares {
            able: shares,
            unable,
        } = options.shares(&capabilities);
        let whole: Duration = shares.iter().map(|(_, share)| *share).sum();
        assert!(
            whole.abs_diff(options.duration) < Duration::from_millis(500),
            "{whole:?}"
        );
        assert_eq!(shares.len() + unable.len(), Scenario::stressable().count());
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
