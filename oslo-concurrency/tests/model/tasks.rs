//! Tasks beside threads: acquires that are polled, and dropped at any moment.

use std::future::Future;
use std::path::Path;
use std::pin::pin;
use std::task::{Context, Poll, Waker};

use shuttle::{future, thread};

use crate::asynchronous::Turn;
use crate::asynchronous::acquire::TaskAcquire;
use crate::checks::{Section, many_interleavings};
use crate::file::{PATH, other_process, request, within};
use crate::files::{FileLockError, ProcessLock};
use crate::named::acquire::{acquire_both, acquire_file, release_both};
use crate::sync::Arc;
use crate::sys;
use crate::threads::{QueueLock, new_task};
use crate::wait::{AcquireFailure, Wait, WaitLimit};

struct Model {
    internal: Arc<QueueLock>,
    file: Option<Arc<ProcessLock>>,
    section: Section,
    fair: bool,
}

impl Model {
    fn new(fair: bool, with_file: bool) -> Arc<Self> {
        Arc::new(Model {
            internal: Arc::default(),
            file: with_file.then(|| Arc::new(ProcessLock::new(Path::new(PATH)))),
            section: Section::default(),
            fair,
        })
    }

    fn request(&self) -> TaskAcquire {
        TaskAcquire {
            internal: Arc::clone(&self.internal),
            external: self.file.clone(),
            fair: self.fair,
            owner: new_task(),
            may_wait: true,
        }
    }

    fn visit(&self, acquired: (crate::asynchronous::acquire::InternalHold, Option<Turn>)) {
        self.section.visit();
        let internal = acquired.0.into_entry();
        match acquired.1.and_then(Turn::into_entry) {
            None => internal.release(),
            Some(file) => release_both(&internal, &file, self.fair),
        }
    }

    /// A task that waits without a limit.
    fn task(&self) {
        let request = self.request();
        let acquired = future::block_on(request.acquire());
        self.visit(acquired.unwrap_or_else(|failure| panic!("{failure:?}")));
    }

    /// A task that is polled a few times, woken or not, and then dropped.
    fn dropped_task(&self, polls: usize) {
        let request = self.request();
        let mut acquire = pin!(request.acquire());
        let mut context = Context::from_waker(Waker::noop());
        for _ in 0..polls {
            if let Poll::Ready(acquired) = acquire.as_mut().poll(&mut context) {
                self.visit(acquired.unwrap_or_else(|failure| panic!("{failure:?}")));
                return;
            }
            thread::yield_now();
        }
    }

    fn thread(&self, wait: Wait) {
        let mut limit = WaitLimit::silent();
        let outcome = match &self.file {
            None => {
                if self.fair {
                    self.internal.make_fair();
                }
                let acquired = self.internal.acquire(wait);
                acquired.map_err(FileLockError::NotAcquired)
            }
            Some(file) => acquire_both(&self.internal, file, request(wait, self.fair), &mut limit),
        };
        match outcome {
            Ok(()) => {
                self.section.visit();
                match &self.file {
                    None => self.internal.release(),
                    Some(file) => release_both(&self.internal, file, self.fair),
                }
            }
            Err(FileLockError::NotAcquired(failure)) => {
                assert!(
                    wait != Wait::Forever && failure != AcquireFailure::HeldBySelf,
                    "{failure:?}"
                );
            }
            Err(error) => panic!("{error:?}"),
        }
    }
}

impl Model {
    /// A thread that holds the lock between threads, and inside it acquires the file.
    fn file_inside_internal(&self) {
        self.internal.acquire(Wait::Forever).unwrap();
        if let Some(file) = &self.file {
            let request = request(Wait::Forever, false);
            acquire_file(file, request, &mut WaitLimit::silent()).unwrap();
            file.release(false);
        }
        self.internal.release();
    }
}

type Step = fn(&Model);

fn run(fair: bool, with_file: bool, steps: &'static [Step], other: bool) {
    let model = Model::new(fair, with_file);
    let mut threads: Vec<_> = steps
        .iter()
        .map(|step| {
            let model = Arc::clone(&model);
            thread::spawn(move || step(&model))
        })
        .collect();
    if other {
        let model = Arc::clone(&model);
        threads.push(thread::spawn(move || other_process(&model.section, false)));
    }
    for thread in threads {
        thread.join().unwrap();
    }
    // A wait in the kernel that was given up ends a moment later, in a thread of its own: another
    // process observes its end.
    if let Some(file) = &model.file {
        other_process(&model.section, false);
        while !file.is_idle() {
            thread::yield_now();
        }
        assert!(sys::nothing_is_locked(), "the kernel's lock is orphaned");
    }
    assert!(
        model.internal.is_idle(),
        "the lock between threads is not free: {:?}",
        model.internal
    );
}

const TASK: Step = Model::task;
const OTHER_TASK: Step = Model::task;
const DROPPED: Step = |model| model.dropped_task(1);
const DROPPED_LATER: Step = |model| model.dropped_task(3);
const THREAD: Step = |model| {
    model.thread(Wait::Forever);
    model.thread(Wait::Forever);
};
const NESTED: Step = Model::file_inside_internal;
const THREAD_SOON: Step = |model| model.thread(within(1));

#[test]
fn a_future_is_dropped_at_any_moment() {
    for fair in [false, true] {
        for with_file in [false, true] {
            many_interleavings(375, move || run(fair, with_file, &[THREAD, DROPPED], false));
            many_interleavings(375, move || {
                run(fair, with_file, &[THREAD, DROPPED, TASK], false);
            });
            many_interleavings(250, move || {
                run(
                    fair,
                    with_file,
                    &[THREAD, DROPPED_LATER, DROPPED, THREAD_SOON],
                    false,
                );
            });
        }
    }
}

#[test]
fn tasks_threads_and_another_process() {
    for fair in [false, true] {
        many_interleavings(250, move || {
            run(fair, true, &[TASK, OTHER_TASK, THREAD], true)
        });
        many_interleavings(250, move || {
            run(fair, true, &[TASK, DROPPED_LATER, THREAD_SOON], true);
        });
    }
}

/// A task that waits for the lock between threads does not block the file.
#[test]
fn a_thread_that_holds_the_name_gets_the_file_beside_tasks() {
    for fair in [false, true] {
        many_interleavings(250, move || run(fair, true, &[NESTED, TASK], false));
        many_interleavings(250, move || {
            run(fair, true, &[NESTED, TASK, DROPPED_LATER], false);
        });
    }
}
