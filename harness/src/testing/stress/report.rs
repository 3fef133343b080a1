//! What a run has shown, in words for somebody who has never seen the lock.

use std::fmt::Write;
use std::sync::atomic::Ordering;

use crate::testing::finding::{Finding, Unknown};
use crate::testing::forking::Outcome;
use crate::testing::witness::{EntryKind, Overlap, Shape, Witness, overlaps};

use super::rules::{self, Breach, Rules};
use super::{Fault, SEED, last_events};

/// The outcome of a [`Stress`](super::Stress) run.
#[derive(Clone, Debug)]
pub struct StressReport {
    shape: Shape,
    sections: u64,
    lost: u64,
    overlaps: Vec<Overlap>,
    breaches: Vec<Breach>,
    stacks: Vec<String>,
    not_offered: Vec<&'static str>,
    outcomes: Vec<Outcome>,
    /// What the threads of each process that failed did last.
    last_events: Vec<Vec<String>>,
    began: u64,
    seed: u64,
    errors: String,
    faults: Vec<(Fault, u64)>,
    test: Option<String>,
    /// The lock that was watched, if not the body said where the section is.
    watched: Option<String>,
}

impl StressReport {
    pub(super) fn new(
        witness: &Witness,
        outcomes: Vec<Outcome>,
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
                Outcome::Done => Vec::new(),
                _ => last_events::of_process(witness, process, began),
            })
            .collect();
        let unsupported = (0..witness.shape().workers() as u32)
            .map(|worker| witness.unsupported(worker).load(Ordering::Relaxed))
            .fold(0, |all, bits| all | bits);
        let not_offered = ["waits without end", "tries", "timed waits"];
        StressReport {
            breaches: rules::breaches(witness, rules),
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
            overlaps: overlaps(witness),
            outcomes,
            began,
            seed,
            errors,
            faults: Fault::ALL
                .into_iter()
                .map(|fault| {
                    let count = witness.faults(fault.number());
                    (fault, count.load(Ordering::Relaxed))
                })
                .filter(|(_, count)| *count > 0)
                .collect(),
            test: thread
                .name()
                .filter(|name| *name != "main")
                .map(str::to_owned),
            watched: None,
        }
    }

    pub(super) fn watching(mut self, lock: Option<String>) -> Self {
        self.watched = lock;
        self
    }

    /// How many sections were entered.
    pub fn sections(&self) -> u64 {
        self.sections
    }

    /// Each time that two were inside.
    pub fn overlaps(&self) -> &[Overlap] {
        &self.overlaps
    }

    /// Each rule that the lock broke, other than exclusion: what it answered, whom it forgot, what it left behind.
    ///
    /// * *refused*: it was free, and nobody else had to do with it, when a try or a timed wait was told otherwise;
    /// * *timeout*: a timed wait ended more than a millisecond early, or seconds late;
    /// * *handover*: nobody held it for seconds, and somebody waited;
    /// * *order*: of two threads of a process the one that asked half a second later came first, although the lock promises fairness;
    /// * *starved*: one worker got it less than a quarter as often as others that asked in the same way;
    /// * *orphan*: with all workers outside, it was not free for another process;
    /// * *given up*: the same, shortly after a wait had timed out: that wait seems to have taken it;
    /// * *stuck*: a worker never came back from it, and nobody held it.
    ///
    /// Only what was asked by [`Worker::attempt`](super::Worker::attempt) or [`Stress::exercise`](super::Stress::exercise) is judged by all
    /// of them. The bounds of *timeout*, *handover* and *order* grow with the delays that the machine had in this run.
    pub fn breaches(&self) -> &[Breach] {
        &self.breaches
    }

    /// What the lock was asked for and does not offer: what was not tried has not passed.
    pub fn not_offered(&self) -> &[&'static str] {
        &self.not_offered
    }

    /// How each worker process ended.
    pub fn outcomes(&self) -> &[Outcome] {
        &self.outcomes
    }

    /// Which faults happened, and how often.
    pub fn faults(&self) -> &[(Fault, u64)] {
        &self.faults
    }

    /// The seed of the workers' random numbers.
    pub fn seed(&self) -> u64 {
        self.seed
    }

    /// Whether the lock excluded, and answered as it should, as far as was tried.
    pub fn verdict(&self) -> Finding {
        if !self.overlaps.is_empty() {
            Finding::Violated(self.story_of_the_first())
        } else if let Some(first) = self.breaches.first() {
            Finding::Violated(format!("  {first}"))
        } else if self.sections == 0 {
            Finding::NotKnown(Unknown::NothingRan)
        } else if self.lost > 0 {
            Finding::NotKnown(Unknown::Budget(format!(
                "{} entries did not fit into the logs: say with `room` how often the body calls `section`",
                self.lost
            )))
        } else {
            Finding::Held
        }
    }

    /// Passes if sections were entered, never two at once, and every worker did all it was to do.
    ///
    /// # Panics
    /// Otherwise, with who, when, for how long, and how to run it again.
    #[track_caller]
    pub fn assert_exclusive(&self) {
        self.assert_verdict();
        let failed = self.stories(|outcome| *outcome != Outcome::Done);
        assert!(
            failed.is_empty(),
            "workers failed\n{failed}{}{}",
            self.errors(),
            self.how_to_run_again()
        );
    }

    /// As [`assert_exclusive`](Self::assert_exclusive), when workers were meant to die.
    ///
    /// # Panics
    /// If two were in the section, nobody was, or a worker hung.
    #[track_caller]
    pub fn assert_exclusive_though_workers_died(&self) {
        self.assert_verdict();
        let hung = self.stories(|outcome| *outcome == Outcome::Hung);
        assert!(
            hung.is_empty(),
            "workers hang\n{hung}{}{}",
            self.errors(),
            self.how_to_run_again()
        );
    }

    /// How those processes ended, and what they did last, a line each.
    fn stories(&self, wanted: impl Fn(&Outcome) -> bool) -> String {
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
                "whether the lock excludes is not known: {why}{}{}{}",
                self.hint(&why),
                self.errors(),
                self.how_to_run_again()
            ),
        }
    }

    /// What is wrong, in a line.
    pub(crate) fn headline(&self) -> &'static str {
        if self.overlaps.is_empty() {
            "the lock broke a rule"
        } else {
            "the lock let two in"
        }
    }

    fn story_of_the_first(&self) -> String {
        let mut story = String::new();
        let first = self.overlaps[0];
        let name = |worker| last_events::name(self.shape, worker);
        let at = first.at.saturating_sub(self.began) as f64 / 1e6;
        let _ = writeln!(story, "  {} was in the section", name(first.first));
        let _ = writeln!(
            story,
            "  {} came in as well, {at:.3} ms after the first section of all",
            name(first.second)
        );
        let _ = match first.both_for {
            Some(0) => writeln!(story, "  both were inside for less than the clock can tell"),
            Some(time) => writeln!(story, "  both were inside for {:.1} µs", time as f64 / 1e3),
            None => writeln!(story, "  neither has left as far as was seen"),
        };
        if !self.faults.is_empty() {
            let faults: Vec<String> = self
                .faults
                .iter()
                .map(|(fault, times)| format!("{fault} {times}"))
                .collect();
            let _ = writeln!(story, "  faults: {}", faults.join(", "));
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

    /// What the workers said on standard error, shortened.
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
        format!("\n  the workers said:\n    {shown}")
    }

    /// What is likely wrong if nothing ran: the workers say which locks they took.
    fn hint(&self, why: &Unknown) -> String {
        match (&self.watched, why) {
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
        // Under `cargo lockutils`, which marks its runs, the lock path is its own again.
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

/// ` --test NAME` or ` --lib`, with which cargo builds and runs this test binary alone, as far as its name tells.
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
