//! The lock on a file: threads of this process, other processes, removal.

use std::path::Path;

use shuttle::thread;

use crate::checks::{Section, many_interleavings};
use crate::files::{FileLockError, LockFile, ProcessLock};
use crate::named::acquire::{Request, acquire_file};
use crate::sync::{Arc, Instant, TICK};
use crate::sys::{self, FileIdentity, Mode};
use crate::wait::{AcquireFailure, Wait, WaitLimit};

pub const PATH: &str = "/locks/x";

pub fn request(wait: Wait, fair: bool) -> Request<'static> {
    fn no_other(_: FileIdentity) -> bool {
        false
    }
    Request {
        wait,
        fair,
        held_here: Some(&no_other),
    }
}

pub fn within(ticks: u32) -> Wait {
    Wait::Until(Instant::now() + TICK * ticks)
}

struct Model {
    file: ProcessLock,
    section: Section,
}

impl Model {
    fn new() -> Arc<Self> {
        Arc::new(Model {
            file: ProcessLock::new(Path::new(PATH)),
            section: Section::default(),
        })
    }

    fn visit(&self, wait: Wait, fair: bool) {
        let looks = sys::looks();
        match acquire_file(&self.file, request(wait, fair), &mut WaitLimit::silent()) {
            Ok(()) => {
                assert!(sys::looks() > looks, "entered without a look at the path");
                self.section.visit();
                self.file.release(fair);
            }
            Err(FileLockError::NotAcquired(failure)) => {
                assert_ne!(wait, Wait::Forever, "{failure:?}");
                assert_ne!(failure, AcquireFailure::HeldBySelf);
            }
            Err(error) => panic!("{error:?}"),
        }
    }

    /// Asserts that the lock has no holder and no waiter.
    fn is_quiet(&self) {
        assert!(self.file.is_idle(), "the lock is not free: {:?}", self.file);
        assert!(sys::nothing_is_locked(), "the kernel's lock is orphaned");
    }
}

/// A process that locks by the contract, and may remove the file while it holds it.
pub fn other_process(section: &Section, removes: bool) {
    loop {
        let open = LockFile::open(Path::new(PATH), Wait::Forever, &mut WaitLimit::silent());
        let file = open.unwrap();
        let locked = file.lock(
            Mode::Exclusive,
            Wait::Forever,
            Path::new(PATH),
            &mut WaitLimit::silent(),
        );
        locked.unwrap();
        if file.is_at(Path::new(PATH)).unwrap() {
            section.visit();
            if removes {
                sys::unlink(Path::new(PATH));
            }
            return;
        }
    }
}

fn threads(fair: bool, waits: &'static [fn() -> Wait], removes: Option<bool>) {
    let model = Model::new();
    let mut threads: Vec<_> = waits
        .iter()
        .map(|wait| {
            let model = Arc::clone(&model);
            thread::spawn(move || {
                for _ in 0..2 {
                    model.visit(wait(), fair);
                }
            })
        })
        .collect();
    if let Some(removes) = removes {
        let model = Arc::clone(&model);
        threads.push(thread::spawn(move || {
            other_process(&model.section, removes);
        }));
    }
    for thread in threads {
        thread.join().unwrap();
    }
    model.is_quiet();
}

const FOREVER: fn() -> Wait = || Wait::Forever;
const NEVER: fn() -> Wait = || Wait::Never;
const ONE: fn() -> Wait = || within(1);
const TWO: fn() -> Wait = || within(2);

#[test]
fn threads_pass_the_kernels_lock_on_and_leave_none_behind() {
    for fair in [false, true] {
        many_interleavings(2_000, move || threads(fair, &[FOREVER, ONE], None));
        many_interleavings(750, move || threads(fair, &[FOREVER, ONE, TWO], None));
        many_interleavings(500, move || threads(fair, &[FOREVER, NEVER, ONE], None));
    }
}

#[test]
fn another_process_gets_its_turn() {
    for fair in [false, true] {
        many_interleavings(500, move || threads(fair, &[FOREVER, ONE], Some(false)));
        many_interleavings(500, move || {
            threads(fair, &[FOREVER, FOREVER, TWO], Some(false))
        });
    }
}

#[test]
fn a_holder_may_remove_the_file() {
    for fair in [false, true] {
        many_interleavings(750, move || threads(fair, &[FOREVER, ONE], Some(true)));
    }
}

/// The holder of a file requests it by another path, where another thread may be waiting.
#[test]
fn the_holder_is_told_so_by_another_path_whoever_waits_there() {
    many_interleavings(500, || {
        let other = Path::new("/link/x");
        let here = ProcessLock::new(Path::new(PATH));
        let there = Arc::new(ProcessLock::new(other));
        let acquire =
            |lock: &ProcessLock, request| acquire_file(lock, request, &mut WaitLimit::silent());
        acquire(&here, request(Wait::Forever, false)).unwrap();
        sys::link(Path::new(PATH), other);
        let waiter = {
            let there = Arc::clone(&there);
            thread::spawn(move || {
                acquire(&there, request(Wait::Forever, false)).unwrap();
                there.release(false);
            })
        };
        let file = here.identity();
        let request = Request {
            held_here: Some(&|asked| Some(asked) == file),
            ..request(Wait::Forever, false)
        };
        let again = acquire(&there, request);
        assert!(
            matches!(
                again,
                Err(FileLockError::NotAcquired(AcquireFailure::HeldBySelf))
            ),
            "{again:?}"
        );
        here.release(false);
        waiter.join().unwrap();
        assert!(here.is_idle() && there.is_idle());
        assert!(sys::nothing_is_locked(), "the kernel's lock is orphaned");
    });
}
