//! What an exploration from a test has shown.

use super::Explore;
use crate::explore::Found;
use crate::explore::counterexample::Counterexample;
use crate::explore::story::story;

/// The outcome of [`Explore::run`].
#[derive(Clone, Debug)]
pub struct Exploration {
    schedules: usize,
    complete: Option<String>,
    story: Option<String>,
    kept: Option<String>,
    trouble: Option<String>,
    errors: Vec<String>,
    /// In a worker of a later exploration of the same test.
    passed_over: bool,
}

impl Exploration {
    pub(super) fn new(explore: &Explore, test: &str, found: Found, choices: Vec<usize>) -> Self {
        let kept = found.counterexample.as_ref().map(|trace| {
            Counterexample {
                lock: format!("-- the test {test}"),
                scenario: found.plot,
                workers: found.parties,
                rounds: explore.rounds,
                seed: explore.seed,
                lease: explore.lease,
                settle_time: found.rest,
                patient: trace.looked_in_real_time(),
                choices,
            }
            .to_text(trace)
        });
        let trouble = found.reason();
        Exploration {
            schedules: found.schedules,
            complete: found.complete,
            story: found.counterexample.as_ref().map(story),
            kept,
            trouble,
            errors: found
                .errors
                .iter()
                .map(|error| format!("{} times: {}", error.count, error.text))
                .collect(),
            passed_over: false,
        }
    }

    pub(super) fn failed(why: String) -> Self {
        Exploration {
            trouble: Some(why),
            ..Self::empty()
        }
    }

    pub(super) fn passed_over() -> Self {
        Exploration {
            passed_over: true,
            ..Self::empty()
        }
    }

    fn empty() -> Self {
        Exploration {
            schedules: 0,
            complete: None,
            story: None,
            kept: None,
            trouble: None,
            errors: Vec::new(),
            passed_over: false,
        }
    }

    /// How many schedules were run.
    pub fn schedules(&self) -> usize {
        self.schedules
    }

    /// What has been tried without a gap, in words.
    pub fn complete(&self) -> Option<&str> {
        self.complete.as_deref()
    }

    /// The shortest schedule that lets two in, or gets all stuck, step by step.
    pub fn story(&self) -> Option<&str> {
        self.story.as_deref()
    }

    /// The same for a file: [`Explore::kept`] runs it again.
    pub fn to_keep(&self) -> Option<&str> {
        self.kept.as_deref()
    }

    /// What the body panicked with, and how often.
    pub fn errors(&self) -> &[String] {
        &self.errors
    }

    /// Nothing was found.
    ///
    /// # Panics
    /// With the story, if something was found; with the reason, if nothing could be tried.
    #[track_caller]
    pub fn assert_exclusive(&self) {
        if let (Some(story), Some(kept)) = (&self.story, &self.kept) {
            panic!(
                "an interleaving breaks the lock, found after {} schedules\n{story}\nto keep it as a test, hand this text to Explore::kept:\n{kept}",
                self.schedules
            );
        }
        if let Some(why) = &self.trouble {
            panic!("the lock could not be explored: {why}");
        }
        assert!(
            self.passed_over || self.schedules > 0,
            "no schedule was run within the budget"
        );
        assert!(
            self.errors.is_empty(),
            "the body failed: {}",
            self.errors.join("; ")
        );
    }
}
