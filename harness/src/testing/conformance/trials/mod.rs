//! The trial of each guarantee, one file per family.

mod death;
mod exclusion;
mod forking;
mod order;
mod refusal;
mod support;
mod waiting;

use std::fs;
use std::path::Path;

use self::support::{Make, not_available};
use super::isolation::run_isolated;
use crate::sys::{self, Means, lacks};
use crate::testing::finding::Finding;
use crate::testing::lock::{Guarantee, Lock};

pub(super) fn examine<L: Lock>(
    guarantee: Guarantee,
    directory: &Path,
    make: &(dyn Fn(&Path) -> L + Sync),
) -> Finding {
    if let Err(error) = fs::create_dir_all(directory) {
        return Finding::unsupported(format!("{}: {error}", directory.display()));
    }
    let directory = match sys::agree(directory) {
        Ok(directory) => directory,
        Err(error) => return Finding::unsupported(format!("{}: {error}", directory.display())),
    };
    let make = &|| make(&directory);
    run_isolated(&|| trial(guarantee, make))
}

/// The facility beyond processes without which a trial cannot run.
fn needs(guarantee: Guarantee) -> Option<Means> {
    match guarantee {
        Guarantee::Signals => Some(Means::Signals),
        Guarantee::Fairness => Some(Means::ThreadStates),
        Guarantee::Refusal => Some(Means::Refusal),
        _ => None,
    }
}

fn trial<L: Lock>(guarantee: Guarantee, make: Make<'_, L>) -> Finding {
    if let Some(means) = needs(guarantee)
        && lacks(means).is_some()
    {
        return not_available(means);
    }
    let with_file = |trial: &dyn Fn(&Path) -> Finding| match make().file() {
        Some(file) => trial(&file),
        None => Finding::unsupported("the lock has no file"),
    };
    match guarantee {
        Guarantee::Processes => exclusion::processes(make),
        Guarantee::Threads => exclusion::threads(make),
        Guarantee::Death => death::death(make),
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
        Guarantee::Panic => death::panic(make),
        Guarantee::Fairness => order::fairness(make),
        Guarantee::Refusal => refusal::refusal(make),
    }
}
