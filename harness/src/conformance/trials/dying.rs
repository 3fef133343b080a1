//! Holders that do not come to the end of their section.

use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};

use super::{Answer, Lock, Make, Patience, acquire, stress, verdict};
use crate::verdict::Verdict;

pub(super) fn death<L: Lock>(make: Make<'_, L>) -> Verdict {
    verdict(&stress().processes(4).sections(50).run(|worker| {
        acquire(&make(), &mut || {
            worker.section(|| {
                if worker.number() > 0 && worker.random(20) == 0 {
                    worker.die();
                }
            });
        });
    }))
}

pub(super) fn panic<L: Lock>(make: Make<'_, L>) -> Verdict {
    let (panicking, other) = (make(), make());
    let section = AssertUnwindSafe(|| {
        // No message: the panic is meant.
        let _ = panicking.run(Patience::Forever, &mut || resume_unwind(Box::new("meant")));
    });
    if catch_unwind(section).is_ok() {
        return Verdict::Violated("the panic did not come through".into());
    }
    for lock in [&other, &panicking] {
        match lock.run(Patience::None, &mut || ()) {
            Ok(Answer::Ran) => {}
            other => return Verdict::Violated(format!("after a panic: {other:?}")),
        }
    }
    Verdict::Held
}
