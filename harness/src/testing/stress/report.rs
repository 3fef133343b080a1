//! The report of a stress run.

use std::fmt::Write;
use std::sync::atomic::Ordering;

use crate::testing::finding::{Finding, Unknown};
use crate::testing::forking::ProcessOutcome;
use crate::testing::witness::{EntryKind, Overlap, Shape, Witness};

use super::rules::{self, Rules, Violation};
use super::{Fault, SEED, last_events};

/// The report of a [`Stress`](super::Stress) run.
///
/// Most tests need only [`assert_exclusive`](Self::assert_exclusive).
#[derive(Clone, Debug)]
pub struct StressReport {
    shape: Shape,
    sections: u64,
    lost: u64,
    overlaps: Vec<Overlap>,
    violations: Vec<Violation>,
    stacks: Vec<String>,
    not_offered: Vec<&'static str>,
    outcomes: Vec<ProcessOutcome>,
    /// The last events of the threads of each process that failed.
    last_events: Vec<Vec<String>>,
    began: u64,
    seed: u64,
    errors: String,
    faults: Vec<(Fault, u64)>,
    test: Option<String>,
    /// The observed lock, if the body does not mark the sections.
    observed: Option<String>,
}

impl StressReport {
    pub(super) fn new(
        witness: &Witness,
        outcomes: Vec<ProcessOutcome>,
        seed: u64,
        errors: String,
        rules: Rules,
    ) -> Self {
        let workers = 0..witness.shape().workers() as u32;
        let (mut sections, mut began) = (0, u64::MAX);
        for worker in workers {
            let entries = witness.entries(worker);
            sections += entries
                .iter()
                .filter(|entry| matches!(entry.kind, EntryKind::Entered | EntryKind::EnteredShared))
                .count() as u64;
            began = began.min(entries.first().map_or(u64::MAX, |entry| entry.time));
        }
        let thread = std::thread::current();
        let last_events = (0..)
            .zip(&outcomes)
            .map(|(process, outcome)| match outcome {
                ProcessOutcome::Done => Vec::new(),
                _ => last_events::of_process(witness, process, began),
            })
            .collect();
        let unsupported = (0..witness.shape().workers() as u32)
            .map(|worker| witness.unsupported(worker).load(Ordering::Relaxed))
            .fold(0, |all, bits| all | bits);
        let not_offered = ["waits without a limit", "try-acquires", "timed waits"];
        StressReport {
            violations: rules::violations(witness, rules),
            stacks: rules::stacks(witness),
            not_offered: not_offered
                .into_iter()
                .enumerate()
                .filter(|(bit, _)| unsupported & 1 << bit != 0)
                .map(|(_, what)| what)
                .collect(),
            last_events,
            shape: witness.shape(),
            sections,
            lost: witness.lost(),
            overlaps: witness.overlaps(),
            outcomes,
            began,
            seed,
            errors,
            faults: Fault::ALL
                .iter()
                .copied()
                .map(|fault| {
                    let count = witness.fault_count(fault.number());
                    (fault, count.load(Ordering::Relaxed))
                })
                .filter(|(_, count)| *count > 0)
                .collect(),
            test: thread
                .name()
                .filter(|name| *name != "main")
                .map(str::to_owned),
            observed: None,
        }
    }

    pub(super) fn observing(mut self, lock: Option<String>) -> Self {
        self.observed = lock;
        self
    }

    /// Number of sections entered.
    pub fn sections(&self) -> u64 {
        self.sections
    }

    /// All overlaps of two sections, in order of time.
    pub fn overlaps(&self) -> &[Overlap] {
        &self.overlaps
    }

    /// The rules that the lock broke, other than exclusion.
    ///
    /// * *refused*: a try-acquire or a timed wait failed although the lock was free and no other
    ///   worker used it.
    /// * *timeout*: a timed wait ended more than a millisecond early, or seconds late.
    /// * *handover*: a worker waited for seconds while no worker held the lock.
    /// * *order*: of two threads of one process, the one that requested the lock half a second
    ///   later was served first, although the lock promises fairness.
    /// * *starved*: one worker got the lock at most a quarter as often as others that requested it
    ///   in the same way.
    /// * *orphan*: with all workers outside, the lock was not free for another process.
    /// * *given up*: the same, shortly after a wait had timed out, which seems to have acquired it.
    /// * *stuck*: a worker did not return from the lock although no worker held it.
    ///
    /// All rules judge only calls by [`Worker::attempt`](super::Worker::attempt) and
    /// [`Stress::exercise`](super::Stress::exercise). The bounds of *timeout*, *handover* and
    /// *order* grow with the delays of the machine during the run.
    pub fn violations(&self) -> &[Violation] {
        &self.violations
    }

    /// Operations that the lock does not offer and that were therefore not tried.
    pub fn not_offered(&self) -> &[&'static str] {
        &self.not_offered
    }

    /// The end of each worker process, in the order of their numbers.
    pub fn outcomes(&self) -> &[ProcessOutcome] {
        &self.outcomes
    }

    /// The faults that were injected, with their counts.
    pub fn faults(&self) -> &[(Fault, u64)] {
        &self.faults
    }

    /// The seed of the workers' random numbers. [`Stress::seed`](super::Stress::seed) repeats them.
    pub fn seed(&self) -> u64 {
        self.seed
    }

    /// The verdict: [`Finding::Held`] if no violation was found.
    ///
    /// *Held* covers only what was tried; see [`sections`](Self::sections) and
    /// [`not_offered`](Self::not_offered).
    pub fn verdict(&self) -> Finding {
        if !self.overlaps.is_empty() {
            Finding::Violated(self.story_of_the_first())
        } else if let Some(first) = self.violations.first() {
            Finding::Violated(format!("  {first}"))
        } else if self.sections == 0 {
            Finding::NotKnown(Unknown::NothingRan)
        } else if self.lost > 0 {
            Finding::NotKnown(Unknown::Budget(format!(
                "{} entries did not fit into the logs; set `room` to the sections per call \
                 of the body",
                self.lost
            )))
        } else {
            Finding::Held
        }
    }

    /// Asserts that the lock excluded and broke no other rule, and that every worker completed its
    /// sections.
    /// # Panics
    /// Panics if the verdict is not [`Finding::Held`], or a worker process failed. The message
    /// names the workers, the times and the command that repeats the run.
    /// workers, the times and the command that repeats the run.
    #[track_caller]
    pub fn assert_exclusive(&self) {
        self.assert_verdict();
        let failed = self.stories(|outcome| *outcome != ProcessOutcome::Done);
        assert!(
            failed.is_empty(),
            "workers failed\n{failed}{}{}",
            self.errors(),
            self.how_to_run_again()
        );
    }

    /// The same as [`assert_exclusive`](Self::assert_exclusive), for bodies that kill or end their
    /// process.
    ///
    /// # Panics
    /// Panics if the verdict is not [`Finding::Held`], or a worker process was stuck.
    #[track_caller]
    pub fn assert_exclusive_though_workers_died(&self) {
        self.assert_verdict();
        let hung = self.stories(|outcome| *outcome == ProcessOutcome::Hung);
        assert!(
            hung.is_empty(),
            "workers were stuck\n{hung}{}{}",
            self.errors(),
            self.how_to_run_again()
        );
    }

    /// The ends of these processes, and their last events.
    fn stories(&self, wanted: impl Fn(&ProcessOutcome) -> bool) -> String {
        let mut lines = Vec::new();
        let ends = self.outcomes.iter().zip(&self.last_events).enumerate();
        for (process, (outcome, events)) in ends.filter(|(_, (outcome, _))| wanted(outcome)) {
            lines.push(format!("  process {process} {outcome}"));
            lines.extend(events.iter().map(|event| format!("    {event}")));
        }
        lines.extend(self.stacks.iter().cloned());
        lines.join("\n")
    }

    #[track_caller]
    fn assert_verdict(&self) {
        match self.verdict() {
            Finding::Held => {}
            Finding::Violated(story) => {
                panic!(
                    "{}\n{story}{}{}",
                    self.headline(),
                    self.errors(),
                    self.how_to_run_again()
                );
            }
            Finding::NotKnown(why) => panic!(
                "it is not known whether the lock excludes: {why}{}{}{}",
                self.hint(&why),
                self.errors(),
                self.how_to_run_again()
            ),
        }
    }

    /// The violation in one line.
    pub(crate) fn headline(&self) -> &'static str {
        if self.overlaps.is_empty() {
            "the lock broke a rule"
        } else {
            "the lock let two holders in"
        }
    }

    fn story_of_the_first(&self) -> String {
        let mut story = String::new();
        let first = self.overlaps[0];
        let name = |worker| last_events::name(self.shape, worker);
        let at = first.at.saturating_sub(self.began) as f64 / 1e6;
        let _ = writeln!(
            story,
            "  {} entered while {} held the lock, {at:.3} ms after the first section of the run",
            name(first.second),
            name(first.first)
        );
        let _ = match first.duration {
            Some(0) => writeln!(story, "  overlap: too short for the clock"),
            Some(time) => writeln!(story, "  overlap: {:.1} µs", time as f64 / 1e3),
            None => writeln!(story, "  overlap: until the end, neither has left"),
        };
        if !self.faults.is_empty() {
            let faults: Vec<String> = self
                .faults
                .iter()
                .map(|(fault, times)| format!("{fault} {times}"))
                .collect();
            let _ = writeln!(story, "  faults injected: {}", faults.join(", "));
        }
        let _ = match self.overlaps.len() {
            1 => write!(
                story,
                "  one pair of the {} sections overlapped",
                self.sections
            ),
            pairs => write!(
                story,
                "  {pairs} pairs of the {} sections overlapped",
                self.sections
            ),
        };
        story
    }

    /// The standard error of the workers, shortened.
    pub(crate) fn errors(&self) -> String {
        const LINES: usize = 20;
        let lines: Vec<&str> = self
            .errors
            .lines()
            .filter(|line| !line.trim().is_empty())
            .collect();
        if lines.is_empty() {
            return String::new();
        }
        let shown = lines[..lines.len().min(LINES)].join("\n    ");
        format!("\n  standard error of the workers:\n    {shown}")
    }

    /// The likely cause if nothing ran. The workers report which locks they acquired.
    fn hint(&self, why: &Unknown) -> String {
        match (&self.observed, why) {
            (Some(lock), Unknown::NothingRan) => {
                format!(", as no section was entered under the name `{lock}`")
            }
            _ => String::new(),
        }
    }

    pub(crate) fn how_to_run_again(&self) -> String {
        let test = self
            .test
            .as_ref()
            .map_or_else(String::new, |test| format!(" -- --exact {test}"));
        // `cargo lockutils` marks its runs; a repeated run gets a lock path of its own as well.
        let lockutils = match std::env::var_os("LOCKUTILS_RUN_MARK") {
            Some(_) => "lockutils ",
            None => "",
        };
        let target = target_of_this_test().unwrap_or_default();
        format!(
            "\n  seed {:#x}; to run it again: {SEED}={:#x} cargo {lockutils}test{target}{test}",
            self.seed, self.seed
        )
    }
}

/// ` --test NAME` or ` --lib`: selects this test binary, as far as its name can be derived.
fn target_of_this_test() -> Option<String> {
    let folder = std::path::PathBuf::from(std::env::var_os("CARGO_MANIFEST_DIR")?);
    let program = std::env::current_exe().ok()?;
    let (binary, _hash) = program.file_name()?.to_str()?.rsplit_once('-')?;
    for name in [binary.to_owned(), binary.replace('_', "-")] {
        let tests = folder.join("tests");
        if tests.join(format!("{name}.rs")).is_file() || tests.join(&name).join("main.rs").is_file()
        {
            return Some(format!(" --test {name}"));
        }
    }
    let package = std::env::var("CARGO_PKG_NAME").ok()?;
    let is_library = folder.join("src/lib.rs").is_file() && !folder.join("src/main.rs").is_file();
    (is_library && binary == package.replace('-', "_")).then(|| " --lib".to_owned())
}
