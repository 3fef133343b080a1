//! Who must not be in at the same time, also when the lock's file is opened elsewhere or removed.

use std::fs::{self, File};
use std::path::Path;
use std::time::Duration;

use super::{LINGER, Lock, Make, acquire, linger, linger_for, stress, verdict};
use crate::verdict::Verdict;

const HOLD: Duration = Duration::from_micros(5);

pub(super) fn processes<L: Lock>(make: Make<'_, L>) -> Verdict {
    let stress = stress().processes(4).sections(200);
    verdict(&stress.hold(HOLD).run(|worker| {
        acquire(&make(), &mut || worker.section(|| ()));
    }))
}

pub(super) fn threads<L: Lock>(make: Make<'_, L>) -> Verdict {
    let stress = stress().processes(1).threads(4).sections(200);
    verdict(&stress.hold(HOLD).run(|worker| {
        acquire(&make(), &mut || worker.section(|| ()));
    }))
}

pub(super) fn reopening<L: Lock>(make: Make<'_, L>, file: &Path) -> Verdict {
    verdict(&stress().processes(3).sections(30).run(|worker| {
        acquire(&make(), &mut || {
            worker.section(|| {
                drop(File::open(file));
                linger();
            });
        });
    }))
}

pub(super) fn removal<L: Lock>(make: Make<'_, L>, file: &Path) -> Verdict {
    verdict(
        &stress()
            .processes(3)
            .threads(2)
            .sections(300)
            .run(|worker| {
                if worker.number() == 0 || worker.random(8) == 0 {
                    // It is no part of what is watched: whoever comes after the removal need not wait for it.
                    acquire(&make(), &mut || drop(fs::remove_file(file)));
                } else {
                    acquire(&make(), &mut || worker.section(|| linger_for(LINGER / 30)));
                }
            }),
    )
}
