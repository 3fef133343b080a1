//! Explorations of a Rust lock from a `#[test]`.

mod exploration;
mod party;

use std::cell::Cell;
use std::env;
use std::sync::atomic::AtomicBool;
use std::time::Duration;

pub use exploration::Exploration;
pub use party::Party;

use crate::workers::LockUnderTest;

use crate::explore::Choice;
use crate::explore::Found;
use crate::explore::Trace;
use crate::explore::counterexample::Counterexample;
use crate::explore::{Budget, Search};
use crate::model::Scenario;

/// A test is not interrupted, but killed.
static NEVER: AtomicBool = AtomicBool::new(false);
/// Which exploration of its test a worker is there for, from 0.
const VARIABLE: &str = "LOCKUTILS_HARNESS_EXPLORES";

thread_local!(static NUMBER: Cell<usize> = const { Cell::new(0) });

/// An exploration: what to try, and then [`run`](Explore::run). As [`Stress`](crate::Stress), but the order of all system calls that touch the lock's
/// directory is chosen, and what is found can be kept and run again.
///
/// ```no_run
/// use lockutils_harness::testing::explore::Explore;
/// use oslo_concurrency::lockutils;
///
/// #[test]
/// fn no_interleaving_lets_two_in() {
///     let lock = lockutils::lock("counter").external(true);
///     Explore::new()
///         .parties(3)
///         .schedules(500)
///         .run(|party| lock.run(|| party.section(|| ())).unwrap())
///         .assert_exclusive();
/// }
/// ```
#[derive(Clone, Debug)]
#[must_use = "nothing is tried before `run`"]
pub struct Explore {
    plot: Scenario,
    parties: usize,
    rounds: usize,
    schedules: usize,
    budget: Duration,
    seed: u64,
    lease: Option<Duration>,
    strategy: Choice,
    kept: Option<String>,
}

impl Explore {
    /// Three parties, one round each, 1,000 schedules within a minute; the seed from LOCKUTILS_SEED, or 1.
    pub fn new() -> Self {
        let seed = env::var(crate::testing::stress::SEED)
            .ok()
            .and_then(|text| {
                let digits = text.strip_prefix("0x");
                digits.map_or_else(
                    || text.parse().ok(),
                    |digits| u64::from_str_radix(digits, 16).ok(),
                )
            });
        Explore {
            plot: Scenario::Contend,
            parties: 3,
            rounds: 1,
            schedules: 1_000,
            budget: Duration::from_secs(60),
            seed: seed.unwrap_or(1),
            lease: None,
            strategy: Choice::Mix,
            kept: None,
        }
    }

    /// What befalls the lock; [`Scenario::Remove`] is not known to bodies, and the same as [`Scenario::Contend`].
    pub fn scenario(mut self, plot: Scenario) -> Self {
        self.plot = match plot {
            Scenario::Remove => Scenario::Contend,
            plot => plot,
        };
        self
    }

    /// How many processes call the body.
    pub fn parties(mut self, parties: usize) -> Self {
        self.parties = parties.clamp(2, 16);
        self
    }

    /// How often each of them does.
    pub fn rounds(mut self, rounds: usize) -> Self {
        self.rounds = rounds.clamp(1, 8);
        self
    }

    /// At most so many schedules.
    pub fn schedules(mut self, schedules: usize) -> Self {
        self.schedules = schedules;
        self
    }

    /// At most for so long.
    pub fn budget(mut self, budget: Duration) -> Self {
        self.budget = budget;
        self
    }

    /// Of the random schedules.
    pub fn seed(mut self, seed: u64) -> Self {
        self.seed = seed;
        self
    }

    /// The lock's lease: two in the section after it has run out are no race.
    pub fn lease(mut self, lease: Duration) -> Self {
        self.lease = Some(lease);
        self
    }

    /// How schedules are made up.
    pub fn strategy(mut self, strategy: Choice) -> Self {
        self.strategy = strategy;
        self
    }

    /// Only this schedule, the text of a file that [`Exploration::to_keep`] or `cargo lockutils explore --save` has made: so a race that
    /// was found once stays a test.
    pub fn kept(mut self, text: impl Into<String>) -> Self {
        self.kept = Some(text.into());
        self
    }

    /// Has the body called by processes of their own, one schedule after the other. The body takes the lock, calls [`Party::section`] once under
    /// it, and gives it back.
    ///
    /// The test program is executed once more for this test alone, for each party, so everything that the test does before this
    /// call happens there as well; what it does afterwards does not. Explorations that came earlier in the test are passed over there. The lock
    /// path of `oslo_concurrency` is a fresh directory; a lock of another kind is to lie in [`Party::directory`].
    ///
    /// # Panics
    /// If it is not called from the thread of the test itself, or what was kept cannot be read.
    pub fn run<F: Fn(&Party)>(self, body: F) -> Exploration {
        let number = NUMBER.replace(NUMBER.get() + 1);
        let wanted = env::var(VARIABLE)
            .ok()
            .and_then(|text| text.parse::<usize>().ok());
        match wanted {
            Some(wanted) if number == wanted => party::serve(&body),
            Some(_) => Exploration::passed_over(),
            None => self.explore(number),
        }
    }

    fn explore(self, number: usize) -> Exploration {
        let thread = std::thread::current();
        let test = thread.name().filter(|name| *name != "main");
        let test = test
            .expect("an exploration is run from the thread of a test, whose name is the test's");
        let kept = self.kept.as_ref().map(|text| {
            Counterexample::from_text(text)
                .unwrap_or_else(|error| panic!("the kept schedule cannot be read: {error}"))
        });
        let result = command(number, test).and_then(|lock| {
            // In a thread that has no other children: the tracer hears of all that end.
            std::thread::scope(|scope| {
                let run = scope.spawn(|| self.search(&lock, kept.as_ref()));
                run.join()
                    .unwrap_or_else(|_| Err("the exploration panicked".to_owned()))
            })
        });
        match result {
            Ok((found, choices)) => Exploration::new(&self, test, found, choices),
            Err(why) => Exploration::failed(why),
        }
    }

    fn search(
        &self,
        lock: &LockUnderTest,
        kept: Option<&Counterexample>,
    ) -> Result<(Found, Vec<usize>), String> {
        let base = tempfile::tempdir().map_err(|error| format!("no directory: {error}"))?;
        let mut search = Search {
            lock,
            scenario: kept.map_or(self.plot, |kept| kept.scenario),
            workers: kept.map_or(self.parties, |kept| kept.workers),
            rounds: kept.map_or(self.rounds, |kept| kept.rounds),
            strategy: self.strategy,
            seed: kept.map_or(self.seed, |kept| kept.seed),
            lease: self.lease.or(kept.and_then(|kept| kept.lease)),
            base: base.path().to_owned(),
            settle_time: kept.map_or(Duration::ZERO, |kept| kept.settle_time),
            interrupted: &NEVER,
        };
        let found = match kept {
            Some(kept) => search.only(&kept.choices, kept.patient),
            None => {
                let budget = Budget {
                    time: self.budget,
                    schedules: self.schedules,
                };
                search.search(&budget, &mut |_| {})
            }
        }
        .map_err(|error| error.to_string())?;
        let choices = found
            .counterexample
            .as_ref()
            .map_or_else(Vec::new, Trace::choices);
        Ok((found, choices))
    }
}

impl Default for Explore {
    fn default() -> Self {
        Explore::new()
    }
}

/// This test program, for one test and one exploration of it.
fn command(number: usize, test: &str) -> Result<LockUnderTest, String> {
    let program =
        env::current_exe().map_err(|error| format!("this program is not known: {error}"))?;
    let mut words = vec!["env".to_owned(), format!("{VARIABLE}={number}")];
    words.push(program.to_string_lossy().into_owned());
    words.extend(
        [
            "--exact",
            test,
            "--nocapture",
            "--include-ignored",
            "--test-threads=1",
        ]
        .map(str::to_owned),
    );
    LockUnderTest::worker(words).map_err(|error| error.to_string())
}
