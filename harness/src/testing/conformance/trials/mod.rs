//! The trial of each guarantee, a file for each family.

mod dying;
mod exclusion;
mod forking;
mod order;
mod refusal;
mod waiting;

use std::fs;
use std::path::Path;
use std::time::{Duration, Instant};

use super::apart::apart;
use super::load::{Load, Participant};
use super::{Answer, Guarantee, Lock, Patience};
use crate::testing::finding::{Finding, Unknown};

/// For how long a holder stays after a disturbance, so that those whom it let in are seen.
const LINGER: Duration = Duration::from_micros(300);

type Make<'a, L> = &'a (dyn Fn() -> L + Sync);

pub(super) fn examine<L: Lock>(
    guarantee: Guarantee,
    directory: &Path,
    make: &(dyn Fn(&Path) -> L + Sync),
) -> Finding {
    if let Err(error) = fs::create_dir_all(directory) {
        return unsupported(format!("{}: {error}", directory.display()));
    }
    let make = &|| make(directory);
    apart(&|| trial(guarantee, make))
}

fn trial<L: Lock>(guarantee: Guarantee, make: Make<'_, L>) -> Finding {
    let with_file = |trial: &dyn Fn(&Path) -> Finding| match make().file() {
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
        Guarantee::Try => waiting::refused(make),
        Guarantee::HandOver => waiting::hand_over(make),
        Guarantee::Progress => order::progress(make),
        Guarantee::Signals => waiting::signals(make),
        Guarantee::Panic => dying::panic(make),
        Guarantee::Fairness => order::fairness(make),
        Guarantee::Refusal => refusal::refusal(make),
    }
}

fn unsupported(what: impl Into<String>) -> Finding {
    Finding::NotKnown(Unknown::Unsupported(what.into()))
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
