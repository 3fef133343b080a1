//! The report of an exploration from a test.

use super::error::ExploreError;
use crate::explore::Found;
use crate::explore::story::story;

/// The report of an [`Explore`](super::Explore) run.
///
/// Most tests need only [`assert_exclusive`](Self::assert_exclusive).
#[derive(Clone, Debug)]
pub struct Exploration {
    schedules: usize,
    complete: Option<String>,
    story: Option<String>,
    counterexample: Option<String>,
    obstacle: Option<String>,
    errors: Vec<String>,
    /// Set if this process is a worker of a later exploration of the same test.
    skipped: bool,
}

impl Exploration {
    /// `counterexample` is the file of the counterexample, if one was found.
    pub(super) fn new(found: Found, counterexample: Option<String>) -> Self {
        let obstacle = found.reason();
        Exploration {
            schedules: found.schedules,
            complete: found.complete,
            story: found.counterexample.as_ref().map(story),
            counterexample,
            obstacle,
            errors: found
                .errors
                .iter()
                .map(|error| format!("{} times: {}", error.count, error.text))
                .collect(),
            skipped: false,
        }
    }

    pub(super) fn failed(error: &ExploreError) -> Self {
        Exploration {
            obstacle: Some(error.to_string()),
            ..Self::empty()
        }
    }

    pub(super) fn skipped() -> Self {
        Exploration {
            skipped: true,
            ..Self::empty()
        }
    }

    fn empty() -> Self {
        Exploration {
            schedules: 0,
            complete: None,
            story: None,
            counterexample: None,
            obstacle: None,
            errors: Vec::new(),
            skipped: false,
        }
    }

    /// Number of schedules that were run.
    pub fn schedules(&self) -> usize {
        self.schedules
    }

    /// The part of all schedules that was searched completely, in words, if there is one.
    pub fn complete(&self) -> Option<&str> {
        self.complete.as_deref()
    }

    /// The shortest schedule that breaks the lock, step by step, if one was found: two workers in
    /// the section at once, or all workers stuck.
    pub fn story(&self) -> Option<&str> {
        self.story.as_deref()
    }

    /// The same schedule as the text of a counterexample file, which
    /// [`Explore::replay`](super::Explore::replay) runs again.
    pub fn counterexample(&self) -> Option<&str> {
        self.counterexample.as_deref()
    }

    /// The messages of panics of the body, each with the number of its occurrences.
    pub fn errors(&self) -> &[String] {
        &self.errors
    }

    /// Asserts that schedules were run and none broke the lock.
    ///
    /// # Panics
    /// Panics if a schedule broke the lock, with that schedule step by step and as a
    /// counterexample; if nothing could be run, with the reason; and if the body panicked.
    #[track_caller]
    pub fn assert_exclusive(&self) {
        if let (Some(story), Some(counterexample)) = (&self.story, &self.counterexample) {
            panic!(
                "an interleaving breaks the lock, found after {} schedules\n{story}\n\
                 to keep it as a test, pass this text to Explore::replay:\n{counterexample}",
                self.schedules
            );
        }
        if let Some(why) = &self.obstacle {
            panic!("the lock could not be explored: {why}");
        }
        assert!(
            self.skipped || self.schedules > 0,
            "no schedule was run within the budget"
        );
        assert!(
            self.errors.is_empty(),
            "the body failed: {}",
            self.errors.join("; ")
        );
    }
}
