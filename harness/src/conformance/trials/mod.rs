//! The trial of each guarantee, a file for each family.

mod dying;
mod exclusion;
mod forking;
mod refusal;
mod waiting;

use std::fs;
use std::path::Path;
use std::time::{Duration, Instant};

use super::{Answer, Guarantee, Lock, Patience};
use crate::forking::Outcome;
use crate::stress::{Report, Stress};
use crate::verdict::{Unknown, Verdict};

/// A lock that nobody gets for so long is stuck.
const STUCK: Duration = Duration::from_secs(5);
/// For how long a holder stays after a disturbance, so that those whom it let in are seen.
const LINGER: Duration = Duration::from_micros(300);

type Make<'a, L> = &'a (dyn Fn() -> L + Sync);

pub(super) fn examine<L: Lock>(
    guarantee: Guarantee,
    directory: &Path,
    make: &(dyn Fn(&Path) -> L + Sync),
) -> Verdict {
    if let Err(error) = fs::create_dir_all(directory) {
        return unsupported(format!("{}: {error}", directory.display()));
    }
    let make = &|| make(directory);
    let with_file = |trial: &dyn Fn(&Path) -> Verdict| match make().file() {
        Some(file) => trial(&file),
        None => unsupported("the lock has no file"),
    };
    match guarantee {
        Guarantee::Processes => exclusion::processes(make),
        Guarantee::Threads => exclusion::threads(make),
        Guarantee::Death => dying::death(make),
        Guarantee::Reopening => with_file(&|file| exclusion::reopening(make, file)),
        Guarantee::ForkedRelease => forking::release(make),
        Guarantee::ForkedSurvivor => forking::survivor(make),
        Guarantee::ForkedLocking => forking::locking(make),
        Guarantee::Executed => forking::executed(make),
        Guarantee::Removal => with_file(&|file| exclusion::removal(make, file)),
        Guarantee::Timeout => waiting::timeout(make),
        Guarantee::GivenUp => waiting::given_up(make),
        Guarantee::Signals => waiting::signals(make),
        Guarantee::Panic => dying::panic(make),
        Guarantee::Fairness => waiting::fairness(make),
        Guarantee::Refusal => refusal::refusal(make),
    }
}

fn stress() -> Stress {
    Stress::new().deadline(STUCK)
}

fn unsupported(what: impl Into<String>) -> Verdict {
    Verdict::NotKnown(Unknown::Unsupported(what.into()))
}

/// Waits for the lock; an error ends the worker, and the report tells.
fn acquire(lock: &impl Lock, section: &mut dyn FnMut()) {
    match lock.run(Patience::Forever, section) {
        Ok(Answer::Ran) => {}
        Ok(other) => fail(format!("an acquire that waits was answered with {other:?}")),
        Err(error) => fail(format!("the lock failed: {error}")),
    }
}

/// Ends the worker as a panic does, but without a backtrace: the failure is the lock's, not the program's.
fn fail(why: String) -> ! {
    eprintln!("{why}");
    std::panic::resume_unwind(Box::new(why))
}

fn verdict(report: &Report) -> Verdict {
    let verdict = report.verdict();
    if !verdict.is_held() {
        return verdict;
    }
    failures(report).map_or(Verdict::Held, Verdict::Violated)
}

/// Who waited in vain, or failed.
fn failures(report: &Report) -> Option<String> {
    let count =
        |wanted: fn(&Outcome) -> bool| report.outcomes().iter().filter(|o| wanted(o)).count();
    let hung = count(|outcome| *outcome == Outcome::Hung);
    let failed = count(|outcome| matches!(outcome, Outcome::Panicked | Outcome::Exited(_)));
    if hung > 0 {
        Some(format!(
            "stuck: {hung} of {} processes waited in vain for {} s",
            report.outcomes().len(),
            STUCK.as_secs()
        ))
    } else if failed > 0 {
        Some(format!(
            "acquire or release failed in {failed} processes{}",
            report.errors()
        ))
    } else {
        None
    }
}

fn linger_for(time: Duration) {
    let until = Instant::now() + time;
    while Instant::now() < until {
        std::thread::yield_now();
    }
}

fn linger() {
    linger_for(LINGER);
}
