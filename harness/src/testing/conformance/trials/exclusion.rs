//! Exclusion, including when the lock file is opened elsewhere or removed.

use std::fs::{self, File};
use std::path::Path;
use std::time::Duration;

use super::super::load::{Load, Participant};
use super::support::{LINGER, Make, linger, linger_for};
use crate::testing::finding::Finding;
use crate::testing::lock::{Lock, WaitLimit};

const TIME: Duration = Duration::from_millis(2500);
/// Long enough for a sleeping waiter to wake up and enter if the lock is released too early.
const HOLD: Duration = Duration::from_micros(60);
const ATTEMPTS: usize = 8_000;

pub(super) fn processes<L: Lock>(make: Make<'_, L>) -> Finding {
    all_ways(Load::processes(4), make)
}

pub(super) fn threads<L: Lock>(make: Make<'_, L>) -> Finding {
    all_ways(Load::threads(4), make)
}

/// Usually waits for the lock, and sometimes tries it or waits with a limit.
fn all_ways<L: Lock>(load: Load, make: Make<'_, L>) -> Finding {
    let load = load.attempts(ATTEMPTS).time(TIME).hold(HOLD);
    load.run(make, &|participant| {
        while !participant.is_over() {
            let limit = match participant.worker.random(16) {
                0 => WaitLimit::NoWait,
                1 => WaitLimit::AtMost(Duration::from_micros(participant.worker.random(500))),
                _ => WaitLimit::Forever,
            };
            participant.attempt(limit, &mut || {
                // Half of the sections sleep: on a busy machine a second holder needs the time.
                let sleeps = participant.worker.random(2) == 0;
                participant.worker.section(|| {
                    if sleeps {
                        std::thread::sleep(HOLD);
                    }
                });
            });
        }
    })
}

pub(super) fn reopening<L: Lock>(make: Make<'_, L>, file: &Path) -> Finding {
    Load::processes(3).attempts(30).run(make, &|participant| {
        while !participant.is_over() {
            participant.section(|| {
                drop(File::open(file));
                linger();
            });
        }
    })
}

pub(super) fn removal<L: Lock>(make: Make<'_, L>, file: &Path) -> Finding {
    let load = Load {
        threads: 2,
        ..Load::processes(3)
    };
    let load = load.attempts(300);
    load.run(make, &|participant: &Participant<'_, '_, L>| {
        let worker = participant.worker;
        while !participant.is_over() {
            if worker.number() == 0 || worker.random(8) == 0 {
                // Not recorded: after the removal others need not wait for this holder.
                participant.unrecorded(&mut || drop(fs::remove_file(file)));
            } else {
                participant.section(|| linger_for(LINGER / 30));
            }
        }
    })
}
