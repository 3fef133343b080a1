//! The stress engine on every system, with a worker in Rust. In a test program of its own: the engine
//! reaps the children of its process, also those that another test waits for.

#![cfg(feature = "stress")]

use std::error::Error;
use std::sync::atomic::AtomicBool;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use lockutils_harness::model::{Report, Scenario, Verdict};
use lockutils_harness::protocol::serve::{Slot, serve};
use lockutils_harness::stress::{Options, Trial};
use lockutils_harness::workers::LockUnderTest;
use oslo_concurrency::lockutils::{self, Guard};

const BROKEN: &str = "LOCKUTILS_TEST_BROKEN";

struct Ours(Option<Guard>);

impl Slot for Ours {
    fn acquire(&mut self) -> Result<(), Box<dyn Error>> {
        self.0 = Some(lockutils::lock(&name()).external(true).acquire()?);
        Ok(())
    }

    fn try_acquire(&mut self) -> Result<bool, Box<dyn Error>> {
        let name = name();
        let lock = lockutils::lock(&name).external(true);
        match lock.blocking(false).acquire() {
            Ok(guard) => self.0 = Some(guard),
            Err(lockutils::Error::NotAcquired { .. }) => return Ok(false),
            Err(error) => return Err(error.into()),
        }
        Ok(true)
    }

    fn release(&mut self) -> Result<(), Box<dyn Error>> {
        self.0.take().map(drop).ok_or_else(|| "not held".into())
    }
}

fn name() -> String {
    std::env::var("LOCKUTILS_NAME").unwrap_or_default()
}

struct Broken;

impl Slot for Broken {
    fn acquire(&mut self) -> Result<(), Box<dyn Error>> {
        Ok(())
    }

    fn try_acquire(&mut self) -> Result<bool, Box<dyn Error>> {
        Ok(true)
    }

    fn release(&mut self) -> Result<(), Box<dyn Error>> {
        Ok(())
    }
}

/// No test: the worker of the tests below, in a process of its own.
#[test]
#[ignore = "the worker of other tests"]
fn worker() {
    println!(); // libtest has begun a line
    match std::env::args().any(|word| word == BROKEN) {
        true => serve(&[], |_| Broken).unwrap(),
        false => serve(&[], |_| Ours(None)).unwrap(),
    }
}

/// The engine reaps the children of its process, so one trial runs at a time.
static ONE_AT_A_TIME: Mutex<()> = Mutex::new(());

fn trial(broken: bool, scenarios: &[Scenario]) -> Report {
    let _turn = ONE_AT_A_TIME.lock().unwrap_or_else(PoisonError::into_inner);
    let program = std::env::current_exe().unwrap();
    let mut words: Vec<String> = vec![program.to_str().unwrap().to_owned()];
    words.extend(
        [
            "--exact",
            "worker",
            "--ignored",
            "--nocapture",
            "--test-threads=1",
        ]
        .map(str::to_owned),
    );
    if broken {
        words.extend(["--skip", BROKEN].map(str::to_owned));
    }
    let lock = LockUnderTest::worker(words).unwrap();
    let options = Options {
        duration: Duration::from_secs(4),
        scenarios: scenarios.to_vec(),
        workers: 3,
        ..Options::default()
    };
    let base = tempfile::tempdir().unwrap();
    let trial = Trial::new(&lock, &options, base.path());
    trial.run(&AtomicBool::new(false), &mut |_| {}).unwrap()
}

fn verdict(report: &Report, scenario: Scenario) -> (Verdict, String) {
    let outcome = report.outcomes.iter().find(|it| it.scenario == scenario);
    let outcome = outcome.unwrap();
    (outcome.verdict, outcome.reason.clone().unwrap_or_default())
}

#[test]
fn our_lock_holds_although_holders_are_killed() {
    let report = trial(
        false,
        &[Scenario::Contend, Scenario::Die, Scenario::Respawn],
    );
    for scenario in [Scenario::Contend, Scenario::Die, Scenario::Respawn] {
        let (verdict, reason) = verdict(&report, scenario);
        assert_eq!(verdict, Verdict::Held, "{scenario}: {reason}");
    }
}

#[test]
fn a_broken_lock_is_found_broken() {
    let report = trial(true, &[Scenario::Contend]);
    assert_eq!(verdict(&report, Scenario::Contend).0, Verdict::Broken);
}

#[cfg(windows)]
#[test]
fn a_scenario_that_needs_signals_is_not_known() {
    let report = trial(false, &[Scenario::Pause]);
    let (verdict, reason) = verdict(&report, Scenario::Pause);
    assert_eq!(verdict, Verdict::NotKnown);
    assert!(reason.contains("not available on windows"), "{reason}");
}
