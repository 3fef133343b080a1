//! Without fork(2): only executed children.

use std::process::{Command, Stdio};

use super::super::super::load::Load;
use super::super::support::{Make, not_available};
use crate::sys::Means;
use crate::testing::finding::Finding;
use crate::testing::lock::Lock;

pub(crate) fn release<L: Lock>(_make: Make<'_, L>) -> Finding {
    not_available(Means::Fork)
}

pub(crate) fn survivor<L: Lock>(_make: Make<'_, L>) -> Finding {
    not_available(Means::Fork)
}

pub(crate) fn locking<L: Lock>(_make: Make<'_, L>) -> Finding {
    not_available(Means::Fork)
}

/// All holders but one die in the section after starting a program that lives on, for some seconds
/// or until the end of the run.
pub(crate) fn executed<L: Lock>(make: Make<'_, L>) -> Finding {
    Load::processes(3).run(make, &|participant| {
        participant.section(|| {
            if participant.number() > 0 {
                let mut program = Command::new("ping");
                program.args(["-n", "20", "127.0.0.1"]);
                program.stdin(Stdio::null()).stdout(Stdio::null());
                drop(
                    program
                        .spawn()
                        .unwrap_or_else(|error| panic!("cannot start ping: {error}")),
                );
                participant.die();
            }
        });
    })
}
