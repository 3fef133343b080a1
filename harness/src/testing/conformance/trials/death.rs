//! Holders that do not reach the end of their section.

use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};

use super::super::load::Load;
use super::support::Make;
use crate::testing::finding::Finding;
use crate::testing::lock::{Answer, Lock, WaitLimit};

pub(super) fn death<L: Lock>(make: Make<'_, L>) -> Finding {
    Load::processes(4).attempts(50).run(make, &|participant| {
        while !participant.is_over() {
            participant.acquire(&mut || {
                let worker = participant.worker;
                worker.section(|| {
                    if worker.number() > 0 && worker.random(20) == 0 {
                        participant.die();
                    }
                });
            });
        }
    })
}

const PANICKED: usize = 0;
const TRIED: usize = 1;

/// The section of one worker panics. Then the other worker acquires the lock, and then the first.
pub(super) fn panic<L: Lock>(make: Make<'_, L>) -> Finding {
    Load::processes(2).run(make, &|participant| {
        if participant.number() == 0 {
            let section = AssertUnwindSafe(|| {
                // Without a message: the panic is intended.
                let _ = participant.lock.run(WaitLimit::Forever, &mut || {
                    resume_unwind(Box::new("intended"));
                });
            });
            if catch_unwind(section).is_ok() {
                participant.fail("a panic in the section did not propagate");
            }
            participant.reach(PANICKED, 1);
            participant.wait_for(TRIED, 1);
        } else {
            participant.wait_for(PANICKED, 1);
        }
        // A refusal is a violation, since no other worker uses the lock. A lock without try-acquire
        // is waited for.
        if participant.attempt(WaitLimit::NoWait, &mut || ()) == Answer::Unsupported {
            participant.acquire(&mut || ());
        }
        participant.reach(TRIED, 1);
    })
}
