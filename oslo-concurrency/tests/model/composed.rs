//! Named locks with a file: the lock between threads and the lock on the file, together, alone, and
//! nested.

use std::path::Path;

use shuttle::thread;

use crate::checks::{Section, many_interleavings};
use crate::file::{PATH, other_process, request, within};
use crate::files::{FileLockError, ProcessLock};
use crate::named::acquire::{acquire_both, acquire_file, release_both};
use crate::sync::Arc;
use crate::sys;
use crate::threads::QueueLock;
use crate::wait::{AcquireFailure, Wait, WaitLimit};

struct Model {
    internal: QueueLock,
    file: ProcessLock,
    /// The section under the lock between threads.
    inside: Section,
    /// The section under the lock on the file.
    inside_file: Section,
}

impl Model {
    fn new() -> Arc<Self> {
        Arc::new(Model {
            internal: QueueLock::default(),
            file: ProcessLock::new(Path::new(PATH)),
            inside: Section::default(),
            inside_file: Section::default(),
        })
    }

    fn both(&self, wait: Wait, fair: bool) -> Result<(), AcquireFailure> {
        let acquired = acquire_both(
            &self.internal,
            &self.file,
            request(wait, fair),
            &mut WaitLimit::silent(),
        );
        failure(acquired)?;
        self.inside.visit();
        self.inside_file.visit();
        release_both(&self.internal, &self.file, fair);
        Ok(())
    }

    fn internal(&self, wait: Wait) -> Result<(), AcquireFailure> {
        self.internal.acquire(wait)?;
        self.inside.visit();
        self.internal.release();
        Ok(())
    }

    fn file(&self, wait: Wait) -> Result<(), AcquireFailure> {
        failure(acquire_file(
            &self.file,
            request(wait, false),
            &mut WaitLimit::silent(),
        ))?;
        self.inside_file.visit();
        self.file.release(false);
        Ok(())
    }

    /// oslo's own composition: the lock between threads, and inside it the lock on the file.
    fn file_inside_internal(&self) {
        self.internal.acquire(Wait::Forever).unwrap();
        self.file(Wait::Forever).unwrap();
        self.internal.release();
    }

    /// A thread that holds the lock between threads requests both: it would wait for itself.
    fn both_inside_internal(&self, fair: bool) {
        self.internal.acquire(Wait::Forever).unwrap();
        assert_eq!(
            self.both(Wait::Forever, fair),
            Err(AcquireFailure::HeldBySelf)
        );
        self.internal.release();
    }

    /// A thread that holds the file requests both.
    fn both_inside_file(&self, fair: bool) {
        failure(acquire_file(
            &self.file,
            request(Wait::Forever, false),
            &mut WaitLimit::silent(),
        ))
        .unwrap();
        assert_eq!(
            self.both(Wait::Forever, fair),
            Err(AcquireFailure::HeldBySelf)
        );
        self.file.release(false);
    }
}

fn failure(outcome: Result<(), FileLockError>) -> Result<(), AcquireFailure> {
    outcome.map_err(|failure| match failure {
        FileLockError::NotAcquired(failure) => failure,
        error => panic!("{error:?}"),
    })
}

type Step = fn(&Model, bool);

fn threads(fair: bool, steps: &'static [&'static [Step]], other: bool) {
    let model = Model::new();
    let mut threads: Vec<_> = steps
        .iter()
        .map(|steps| {
            let model = Arc::clone(&model);
            thread::spawn(move || {
                for step in *steps {
                    step(&model, fair);
                }
            })
        })
        .collect();
    if other {
        let model = Arc::clone(&model);
        threads.push(thread::spawn(move || {
            other_process(&model.inside_file, false);
        }));
    }
    for thread in threads {
        thread.join().unwrap();
    }
    assert!(
        model.internal.is_idle(),
        "the lock between threads is not free"
    );
    assert!(
        model.file.is_idle(),
        "the lock on the file is not free: {:?}",
        model.file
    );
    assert!(sys::nothing_is_locked(), "the kernel's lock is orphaned");
}

const BOTH: Step = |model, fair| model.both(Wait::Forever, fair).unwrap();
const BOTH_SOON: Step = |model, fair| {
    let _ = model.both(within(2), fair);
};
const BOTH_NOW: Step = |model, fair| {
    let _ = model.both(Wait::Never, fair);
};
const INTERNAL: Step = |model, _| model.internal(Wait::Forever).unwrap();
const FILE: Step = |model, _| model.file(Wait::Forever).unwrap();
const FILE_SOON: Step = |model, _| {
    let _ = model.file(within(1));
};
const NESTED: Step = |model, _| model.file_inside_internal();
const SELF: Step = |model, fair| model.both_inside_internal(fair);
const SELF_FILE: Step = |model, fair| model.both_inside_file(fair);

#[test]
fn a_thread_that_holds_a_part_is_told_so_whoever_waits() {
    for fair in [false, true] {
        many_interleavings(500, move || threads(fair, &[&[SELF], &[BOTH]], false));
        many_interleavings(500, move || threads(fair, &[&[SELF_FILE], &[BOTH]], false));
        many_interleavings(500, move || {
            threads(fair, &[&[SELF], &[BOTH], &[BOTH_SOON]], true)
        });
    }
}

#[test]
fn a_thread_that_holds_the_name_gets_the_file() {
    for fair in [false, true] {
        many_interleavings(500, move || threads(fair, &[&[NESTED], &[BOTH]], false));
        many_interleavings(500, move || {
            threads(fair, &[&[NESTED], &[BOTH], &[NESTED]], true)
        });
    }
}

#[test]
fn all_kinds_of_use_together() {
    for fair in [false, true] {
        many_interleavings(500, move || {
            threads(
                fair,
                &[&[BOTH, BOTH_SOON], &[INTERNAL, BOTH], &[FILE, FILE_SOON]],
                false,
            );
        });
        many_interleavings(500, move || {
            threads(
                fair,
                &[&[BOTH_SOON, BOTH_NOW], &[BOTH], &[NESTED, FILE_SOON]],
                true,
            );
        });
    }
}
