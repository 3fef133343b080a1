//! Explorations of a lock from a `#[test]`: the interleavings of its system calls.
//!
//! An exploration starts worker processes and traces them (ptrace(2)), from a thread of its own:
//! that thread is pinned to one processor and reaps only its own children. The calling thread keeps
//! its processors, its signal handlers, its limits and its children.

mod error;
mod exploration;
mod worker;

use std::cell::Cell;
use std::env;
use std::path::Path;
use std::sync::atomic::AtomicBool;
use std::time::Duration;

pub use exploration::Exploration;
pub use worker::ExploreWorker;

#[doc(inline)]
pub use crate::explore::Choice;
#[doc(inline)]
pub use crate::model::Scenario;

use self::error::ExploreError;
use crate::engines::{Engine, Server, ServerError};
use crate::testing::stress::seed_from_environment;
use crate::workers::LockUnderTest;

use crate::explore::Found;
use crate::explore::counterexample::Counterexample;
use crate::explore::{Budget, Search, Shard};

/// A test is killed, never interrupted.
static NEVER: AtomicBool = AtomicBool::new(false);
/// The number, from 0, of the exploration for which this process is a worker.
const VARIABLE: &str = "LOCKUTILS_HARNESS_EXPLORES";

thread_local!(static NUMBER: Cell<usize> = const { Cell::new(0) });

/// An exploration: options, and then [`run`](Self::run).
///
/// Unlike [`Stress`](crate::testing::stress::Stress), it chooses the order of all system calls on
/// the directory of the lock. A schedule that breaks the lock can be replayed and kept as a test.
///
/// ```no_run
/// use lockutils_harness::testing::explore::Explore;
/// use oslo_concurrency::lockutils;
///
/// #[test]
/// fn no_interleaving_lets_two_holders_in() {
///     let lock = lockutils::lock("counter").external(true);
///     Explore::new()
///         .workers(3)
///         .schedules(500)
///         .run(|worker| lock.run(|| worker.section(|| ())).unwrap())
///         .assert_exclusive();
/// }
/// ```
#[derive(Clone, Debug)]
#[must_use = "nothing runs before `run`"]
pub struct Explore {
    scenario: Scenario,
    workers: usize,
    rounds: usize,
    crashes: usize,
    schedules: usize,
    jobs: usize,
    budget: Duration,
    seed: u64,
    lease: Option<Duration>,
    strategy: Choice,
    servers: Option<String>,
    server: Option<String>,
    replay: Option<String>,
}

impl Explore {
    /// An exploration with three workers, one acquisition each, and at most 1,000 schedules in one
    /// minute. The seed is that of the environment variable `LOCKUTILS_SEED`, or 1.
    pub fn new() -> Self {
        Explore {
            scenario: Scenario::Contend,
            workers: 3,
            rounds: 1,
            crashes: 1,
            schedules: 1_000,
            jobs: 1,
            budget: Duration::from_secs(60),
            seed: seed_from_environment().unwrap_or(1),
            lease: None,
            strategy: Choice::Mix,
            servers: None,
            server: None,
            replay: None,
        }
    }

    /// The scenario; [`Scenario::Contend`] by default. A body cannot remove the lock, so
    /// [`Scenario::Remove`] is the same as [`Scenario::Contend`].
    pub fn scenario(mut self, scenario: Scenario) -> Self {
        self.scenario = match scenario {
            Scenario::Remove => Scenario::Contend,
            other => other,
        };
        self
    }

    /// Number of worker processes, from 2 to 16; 3 by default.
    pub fn workers(mut self, workers: usize) -> Self {
        self.workers = workers.clamp(2, 16);
        self
    }

    /// Calls of the body per worker, from 1 to 8; 1 by default.
    pub fn rounds(mut self, rounds: usize) -> Self {
        self.rounds = rounds.clamp(1, 8);
        self
    }

    /// Maximum number of crashes in a schedule of [`Scenario::Crash`], from 1 to 8; 1 by default.
    pub fn crashes(mut self, crashes: usize) -> Self {
        self.crashes = crashes.clamp(1, 8);
        self
    }

    /// Maximum number of schedules; 1,000 by default.
    pub fn schedules(mut self, schedules: usize) -> Self {
        self.schedules = schedules;
        self
    }

    /// Number of explorers, each with worker processes of its own on a processor of its own; 1 by
    /// default, since other tests may run at the same time. The result does not depend on it.
    pub fn jobs(mut self, jobs: usize) -> Self {
        self.jobs = jobs.clamp(1, 32);
        self
    }

    /// Time limit of the search; one minute by default.
    pub fn budget(mut self, budget: Duration) -> Self {
        self.budget = budget;
        self
    }

    /// Seed of the random strategies; overrides `LOCKUTILS_SEED`.
    pub fn seed(mut self, seed: u64) -> Self {
        self.seed = seed;
        self
    }

    /// The lease of the lock: an overlap after it has expired is no violation. No lease by default.
    pub fn lease(mut self, lease: Duration) -> Self {
        self.lease = Some(lease);
        self
    }

    /// Search strategy; a mix of all by default.
    pub fn strategy(mut self, strategy: Choice) -> Self {
        self.strategy = strategy;
        self
    }

    /// Starts a server of this engine, such as `redis`, for the workers: their requests to it are
    /// scheduled, and [`Scenario::Expire`] ends its leases. Workers find it by
    /// [`ExploreWorker::server`] and by variables such as `REDIS_URL`. Without the engine's programs,
    /// the exploration fails and names the Debian package.
    pub fn servers(mut self, engine: impl Into<String>) -> Self {
        self.servers = Some(engine.into());
        self.server = None;
        self
    }

    /// Uses this running server instead, as `HOST:PORT` or `ENGINE://HOST:PORT`. Between schedules,
    /// what bears the name of the lock, the variable `LOCKUTILS_NAME`, is removed from it.
    pub fn server(mut self, address: impl Into<String>) -> Self {
        self.server = Some(address.into());
        self.servers = None;
        self
    }

    /// Runs only the schedule of this counterexample, the text of [`Exploration::counterexample`]
    /// or of a file from `cargo lockutils explore --save`: a race that was found once stays a test.
    pub fn replay(mut self, counterexample: impl Into<String>) -> Self {
        self.replay = Some(counterexample.into());
        self
    }

    /// Runs `body` in worker processes, one schedule after the other. The body acquires the lock,
    /// calls [`ExploreWorker::section`] once while it holds it, and releases it.
    ///
    /// For each worker the test program is executed again for this test alone. Code of the test
    /// before this call runs there as well, except earlier explorations; code after this call does
    /// not. The lock path of `oslo_concurrency` is a fresh directory; other locks create their
    /// files in [`ExploreWorker::directory`].
    ///
    /// # Panics
    /// Panics if this is not the thread of the test, or the counterexample to replay cannot be
    /// read.
    pub fn run<F: Fn(&ExploreWorker)>(self, body: F) -> Exploration {
        let number = NUMBER.replace(NUMBER.get() + 1);
        let wanted = env::var(VARIABLE)
            .ok()
            .and_then(|text| text.parse::<usize>().ok());
        match wanted {
            Some(wanted) if number == wanted => worker::serve(&body),
            Some(_) => Exploration::skipped(),
            None => self.explore(number),
        }
    }

    fn explore(self, number: usize) -> Exploration {
        let thread = std::thread::current();
        let test = thread.name().filter(|name| *name != "main");
        let test = test.expect(
            "an exploration must be started from the thread of the test, which has its name",
        );
        let replayed = self.replay.as_ref().map(|text| {
            Counterexample::from_text(text)
                .unwrap_or_else(|error| panic!("cannot read the counterexample: {error}"))
        });
        let result = command(number, test).and_then(|lock| {
            // In a thread without other children, since the tracer waits for all children of its
            // thread.
            std::thread::scope(|scope| {
                let run = scope.spawn(|| self.search(&lock, test, replayed.as_ref()));
                run.join().unwrap_or(Err(ExploreError::Panicked))
            })
        });
        match result {
            Ok((found, counterexample)) => Exploration::new(found, counterexample),
            Err(error) => Exploration::failed(&error),
        }
    }

    fn search(
        &self,
        lock: &LockUnderTest,
        test: &str,
        replayed: Option<&Counterexample>,
    ) -> Result<(Found, Option<String>), ExploreError> {
        let base = tempfile::tempdir().map_err(ExploreError::Directory)?;
        let server = self.start_server(replayed, base.path())?;
        let lock = match &server {
            Some(server) => &lock
                .clone()
                .on_server(server.address(), server.environment()),
            None => lock,
        };
        let search = Search {
            lock,
            scenario: replayed.map_or(self.scenario, |kept| kept.scenario),
            workers: replayed.map_or(self.workers, |kept| kept.workers),
            rounds: replayed.map_or(self.rounds, |kept| kept.rounds),
            crashes: self.crashes,
            strategy: self.strategy,
            seed: replayed.map_or(self.seed, |kept| kept.seed),
            lease: self.lease.or(replayed.and_then(|kept| kept.lease)),
            jobs: self.jobs,
            shard: Shard::WHOLE,
            base: base.path().to_owned(),
            settle_time: replayed.map_or(Duration::ZERO, |kept| kept.settle_time),
            server: server.as_ref(),
            interrupted: &NEVER,
        };
        let found = match replayed {
            Some(kept) => search.only(&kept.moves, kept.patient),
            None => {
                let budget = Budget {
                    time: self.budget,
                    schedules: self.schedules,
                };
                search.search(&budget, &mut |_| {})
            }
        }
        .map_err(ExploreError::engine)?;
        let counterexample = search.counterexample_file(&found, format!("-- the test {test}"));
        Ok((found, counterexample))
    }
}

impl Explore {
    /// The server that was asked for, or else that of the counterexample.
    fn start_server(
        &self,
        replayed: Option<&Counterexample>,
        base: &Path,
    ) -> Result<Option<Server>, ExploreError> {
        let (engine, address) = match (&self.servers, &self.server, replayed) {
            (None, None, Some(kept)) => (&kept.servers, &kept.server),
            (engine, address, _) => (engine, address),
        };
        let server = match (engine, address) {
            (Some(engine), _) => Engine::find(engine)
                .map_err(ServerError::from)
                .and_then(|engine| Server::start(&engine, &base.join("server"))),
            (None, Some(address)) => Server::at(address),
            (None, None) => return Ok(None),
        };
        server.map(Some).map_err(ExploreError::engine)
    }
}

impl Default for Explore {
    fn default() -> Self {
        Explore::new()
    }
}

/// This test program as a worker, for one test and one exploration of it.
fn command(number: usize, test: &str) -> Result<LockUnderTest, ExploreError> {
    let program = env::current_exe().map_err(ExploreError::TestProgram)?;
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
    LockUnderTest::worker(words).map_err(ExploreError::engine)
}
