//! The result of a scenario.

use std::sync::atomic::Ordering;
use std::time::Duration;

use super::super::judge;
use super::super::plan::Options;
use super::super::statistics::Statistics;
use super::Load;
use crate::model::{Evidence, Holder, Load as LoadEvidence, Outcome, Overlap, Scenario, Verdict};
use crate::workers::LockUnderTest;

impl Load<'_> {
    pub(super) fn finish(mut self) -> Outcome {
        let seconds = self.began.elapsed().as_secs_f64();
        let interrupted = self.interrupted.load(Ordering::Relaxed);
        let again = again(self.scenario, self.options, self.pool.spawner.lock);
        let files = std::fs::read_dir(&self.pool.spawner.directory).map_or(0, Iterator::count);
        let stayed = self.pool.dismiss();
        if stayed > 0 && self.ended.is_none() && !interrupted {
            self.statistics.note(format!(
                "{stayed} workers were still running 3 s after the end of their input, and were \
                 killed"
            ));
        }
        if self.wrong_answers > 1 {
            self.statistics
                .note(format!("{} answers were wrong in all", self.wrong_answers));
        }
        let sections = self.statistics.all_sections();
        let first_error = self
            .statistics
            .errors()
            .into_iter()
            .next()
            .map(|error| error.text);
        let unlinked = self
            .statistics
            .faults()
            .iter()
            .any(|fault| fault.name == "deletions");
        let (verdict, reason) = match self.ended {
            _ if self.judge.races() > 0 => (Verdict::Broken, None),
            _ if self.judge.broken_fence().is_some() => (
                Verdict::FenceBroken,
                self.judge.broken_fence().map(fence_reason),
            ),
            Some((Verdict::Stuck, why)) if sections == 0 => (
                Verdict::NotKnown,
                Some(format!("no worker ever acquired the lock: {why}")),
            ),
            Some((verdict, why)) => (verdict, Some(why)),
            None if self.wrong_answer.is_some() => (Verdict::WrongAnswer, self.wrong_answer.take()),
            None if sections == 0 && interrupted => (
                Verdict::NotKnown,
                Some("interrupted before a worker acquired the lock".into()),
            ),
            None if sections == 0 => {
                let why = first_error.map_or_else(String::new, |error| format!(": {error}"));
                (
                    Verdict::NotKnown,
                    Some(format!("no worker ever acquired the lock{why}")),
                )
            }
            None if self.scenario == Scenario::Unlink && !unlinked && files == 0 => (
                Verdict::NotKnown,
                Some("the lock keeps no file in {dir}".into()),
            ),
            None if self.judge.expiries() + self.statistics.lost > 0 => {
                (Verdict::LeaseExpired, None)
            }
            None if had_no_fault(self.scenario, &self.statistics) => (
                Verdict::NotKnown,
                Some(no_fault_reason(self.scenario, interrupted)),
            ),
            None if self.statistics.has_errors() => (Verdict::Errors, None),
            None => (Verdict::Held, None),
        };
        let first = self.judge.first().map(overlap);
        let at = first.as_ref().map(|overlap| overlap.at_ns);
        Outcome {
            verdict,
            reason,
            seconds,
            errors: self.statistics.errors(),
            notes: self.statistics.notes(),
            evidence: Evidence::Load(Box::new(LoadEvidence {
                sections,
                overlaps: self.judge.races(),
                expiries: self.judge.expiries(),
                busy: self.statistics.busy,
                timed_out: self.statistics.timed_out,
                faults: self.statistics.faults(),
                waits: self.statistics.waits(),
                hand_overs: self.statistics.hand_overs(),
                fairness: self.statistics.fairness(),
                wait_histogram: self.statistics.histogram(),
                first_overlap: first,
                timeline: self.timeline.excerpt(
                    at,
                    matches!(
                        verdict,
                        Verdict::Stuck | Verdict::Starved | Verdict::WrongAnswer
                    ),
                ),
            })),
            ..Outcome::not_tried(
                self.scenario,
                self.options.counts(self.scenario),
                String::new(),
                again,
            )
        }
    }
}

/// Returns `true` if the scenario shows nothing because its fault was never injected.
fn had_no_fault(scenario: Scenario, statistics: &Statistics) -> bool {
    !matches!(scenario, Scenario::Contend | Scenario::Threads) && statistics.faults().is_empty()
}

fn no_fault_reason(scenario: Scenario, interrupted: bool) -> String {
    match scenario {
        _ if interrupted => "interrupted before a fault was injected".into(),
        Scenario::WrapperKill => {
            "no wrapper to kill: it replaces itself with the command, or ends before it".into()
        }
        _ => "no fault was injected in this time: allow more with --duration".into(),
    }
}

fn fence_reason(broken: &judge::BrokenFence<judge::SlotId>) -> String {
    let judge::BrokenFence { earlier, later } = broken;
    format!(
        "worker {} acquired the lock with token {}, and later worker {} with token {}",
        earlier.holder.worker, earlier.token, later.holder.worker, later.token
    )
}

fn overlap(found: &judge::Overlap) -> Overlap {
    let holder = |hold: &judge::Hold| Holder {
        worker: hold.holder.worker,
        slot: hold.holder.slot,
        from_ns: hold.from,
        until_ns: hold.until,
        shared: hold.shared,
        paused: hold.paused,
    };
    Overlap {
        at_ns: found.at,
        both_ns: found.until().map(|until| until.saturating_sub(found.at)),
        lease: found.lease,
        first: holder(&found.first),
        second: holder(&found.second),
    }
}

/// A duration in the format of the command line.
fn written(time: Duration) -> String {
    match time {
        time if time >= Duration::from_secs(1) => format!("{}s", time.as_secs_f64()),
        time => format!("{}ms", time.as_secs_f64() * 1e3),
    }
}

/// The command that runs one scenario again.
pub fn again(scenario: Scenario, options: &Options, lock: &LockUnderTest) -> String {
    let mut command = format!(
        "cargo lockutils stress --seed {:#x} --scenario {scenario}",
        options.seed
    );
    let defaults = Options::default();
    if options.workers != defaults.workers {
        command += &format!(" --workers {}", options.workers);
    }
    if options.threads != defaults.threads {
        command += &format!(" --threads {}", options.threads);
    }
    if options.hold != defaults.hold {
        command += &format!(" --hold {}", written(options.hold));
    }
    if let Some(lease) = options.lease {
        command += &format!(" --lease {}", written(lease));
    }
    if let Some(time) = options.stuck_after {
        command += &format!(" --stuck-after {}", written(time));
    }
    format!("{command} {}", lock.arguments())
}
