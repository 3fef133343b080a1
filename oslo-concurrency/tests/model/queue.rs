//! The lock between threads: waits of all kinds, fair or not.

use shuttle::thread;

use crate::checks::{Section, every_interleaving, many_interleavings};
use crate::sync::{Arc, Instant, TICK};
use crate::threads::QueueLock;
use crate::wait::{AcquireFailure, Wait};

#[derive(Default)]
struct Model {
    lock: QueueLock,
    section: Section,
}

impl Model {
    fn visit(&self, wait: Wait) -> Result<(), AcquireFailure> {
        self.lock.acquire(wait)?;
        self.section.visit();
        self.lock.release();
        Ok(())
    }
}

#[derive(Clone, Copy)]
enum Ask {
    Forever,
    /// Waits for this many ticks.
    Within(u32),
    Never,
}

impl Ask {
    fn wait(self) -> Wait {
        match self {
            Ask::Forever => Wait::Forever,
            Ask::Never => Wait::Never,
            Ask::Within(ticks) => Wait::Until(Instant::now() + TICK * ticks),
        }
    }
}

/// Starts a thread for each row, which requests the lock as the row says.
fn threads(fair: bool, asks: &'static [&'static [Ask]]) {
    let model = Arc::new(Model::default());
    if fair {
        model.lock.make_fair();
    }
    let threads: Vec<_> = asks
        .iter()
        .map(|asks| {
            let model = Arc::clone(&model);
            thread::spawn(move || {
                for ask in *asks {
                    let outcome = model.visit(ask.wait());
                    match ask {
                        Ask::Forever => assert_eq!(outcome, Ok(())),
                        Ask::Within(_) => assert_ne!(outcome, Err(AcquireFailure::Busy)),
                        Ask::Never => assert_ne!(outcome, Err(AcquireFailure::TimedOut)),
                    }
                }
            })
        })
        .collect();
    for thread in threads {
        thread.join().unwrap();
    }
    assert!(
        model.lock.is_idle(),
        "no thread uses the lock, and it is not free: {:?}",
        model.lock
    );
}

use Ask::{Forever, Never, Within};

#[test]
fn two_threads_in_every_interleaving() {
    every_interleaving(20_000, || threads(false, &[&[Forever], &[Forever]]));
    every_interleaving(20_000, || threads(true, &[&[Forever], &[Forever]]));
}

#[test]
fn a_deadline_may_pass_at_any_moment() {
    every_interleaving(20_000, || threads(false, &[&[Forever], &[Within(1)]]));
    every_interleaving(20_000, || threads(true, &[&[Forever], &[Within(1)]]));
}

#[test]
fn three_threads_in_many_interleavings() {
    for fair in [false, true] {
        many_interleavings(750, move || {
            threads(
                fair,
                &[
                    &[Forever, Forever],
                    &[Forever, Within(1)],
                    &[Within(2), Never, Forever],
                ],
            );
        });
        many_interleavings(750, move || {
            threads(
                fair,
                &[
                    &[Forever],
                    &[Forever],
                    &[Within(1), Within(1)],
                    &[Within(3)],
                ],
            );
        });
    }
}

/// A lock that becomes fair while others wait.
#[test]
fn it_may_become_fair_at_any_moment() {
    many_interleavings(500, || {
        let model = Arc::new(Model::default());
        let threads: Vec<_> = (0..3)
            .map(|number| {
                let model = Arc::clone(&model);
                thread::spawn(move || {
                    if number == 2 {
                        model.lock.make_fair();
                    }
                    model.visit(Wait::Forever).unwrap();
                })
            })
            .collect();
        for thread in threads {
            thread.join().unwrap();
        }
        assert!(model.lock.is_idle());
    });
}

/// The use of the turn at a file: a release to a thread relies on a thread that takes it.
#[test]
fn released_to_a_thread_it_is_taken_by_one() {
    fn model(times: usize, waits: &[Ask]) {
        let model = Arc::new((Model::default(), crate::sync::AtomicBool::new(false)));
        let pass_or_release = |model: &(Model, crate::sync::AtomicBool)| {
            use crate::sync::Ordering::SeqCst;
            // State that accompanies the lock, like the kernel's: set while the lock is held or
            // passed on.
            model.1.store(true, SeqCst);
            model.0.section.visit();
            if !model.0.lock.release_to_thread() {
                model.1.store(false, SeqCst);
                model.0.lock.release();
            }
        };
        let threads: Vec<_> = [&[Forever], waits]
            .concat()
            .into_iter()
            .map(|ask| {
                let model = Arc::clone(&model);
                thread::spawn(move || {
                    for _ in 0..times {
                        if model.0.lock.acquire(ask.wait()).is_ok() {
                            pass_or_release(&model);
                        }
                    }
                })
            })
            .collect();
        for thread in threads {
            thread.join().unwrap();
        }
        assert!(model.0.lock.is_idle());
        assert!(
            !model.1.load(crate::sync::Ordering::SeqCst),
            "it was passed on, and no thread took it"
        );
    }
    many_interleavings(3_000, || model(2, &[Within(1), Within(2)]));
    many_interleavings(3_000, || model(2, &[Within(1), Never]));
    many_interleavings(500, || model(2, &[Forever, Within(1)]));
    // Short, so that a waiter may arrive, queue and leave between any two steps of the release.
    every_interleaving(20_000, || model(1, &[Within(1)]));
    many_interleavings(6_000, || model(1, &[Within(1)]));
}

#[test]
fn a_thread_that_holds_it_is_told_so() {
    many_interleavings(250, || {
        let model = Arc::new(Model::default());
        let other = {
            let model = Arc::clone(&model);
            thread::spawn(move || model.visit(Wait::Forever).unwrap())
        };
        model.lock.acquire(Wait::Forever).unwrap();
        assert_eq!(
            model.lock.acquire(Wait::Forever),
            Err(AcquireFailure::HeldBySelf)
        );
        assert_eq!(
            model.lock.acquire(Within(1).wait()),
            Err(AcquireFailure::HeldBySelf)
        );
        assert_eq!(model.lock.acquire(Wait::Never), Err(AcquireFailure::Busy));
        model.lock.release();
        other.join().unwrap();
        assert!(model.lock.is_idle());
    });
}
