//! One thread of a worker process.

use std::cell::{Cell, RefCell};
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use oslo_concurrency::lockutils;

use super::faults::{self, CHILD_STAYS, Fault, Faults, FullDisk, Moment};
use crate::model::after;
use crate::sys::{self, NoDescriptors, SignalStorm};
use crate::testing::history::Mode;
use crate::testing::lock::{Answer, Lock, WaitLimit};
use crate::testing::witness::{EntryKind, SectionGuard, Witness, forks};

/// Average number of sections in which a worker yields once: with more workers than processors, a
/// second holder would otherwise usually enter while no other is running inside.
const YIELD_ONCE_IN: u64 = 16;

/// A thread of a worker process, from the point of view of the body of a run.
///
/// The body acquires the lock and calls [`section`](Self::section) while it holds it, or hands the
/// lock to [`attempt`](Self::attempt).
#[derive(Debug)]
pub struct Worker<'a> {
    witness: &'a Witness,
    number: u32,
    random: Cell<u64>,
    hold: Duration,
    faults: &'a Faults,
    /// The fault to inject into this call of the body.
    next: Cell<Option<Fault>>,
    shortage: RefCell<Option<Shortage<'a>>>,
    storm: RefCell<Option<SignalStorm>>,
}

/// A shortage that lasts until the value is dropped. Meanwhile the body may fail in any worker.
#[derive(Debug)]
struct Shortage<'a> {
    witness: &'a Witness,
    _resource: Resource,
}

#[derive(Debug)]
#[expect(dead_code, reason = "held for their drop")]
enum Resource {
    Descriptors(NoDescriptors),
    Disk(FullDisk),
}

impl<'a> Shortage<'a> {
    fn begin(
        witness: &'a Witness,
        exhaust: impl FnOnce() -> std::io::Result<Resource>,
    ) -> Option<Self> {
        witness.shortages().0.fetch_add(1, Ordering::SeqCst);
        match exhaust() {
            Ok(resource) => Some(Shortage {
                witness,
                _resource: resource,
            }),
            Err(_) => {
                witness.shortages().1.fetch_add(1, Ordering::SeqCst);
                None
            }
        }
    }
}

impl Drop for Shortage<'_> {
    fn drop(&mut self) {
        self.witness.shortages().1.fetch_add(1, Ordering::SeqCst);
    }
}

/// The payload of an injected panic.
#[derive(Debug)]
struct InjectedPanic;

impl<'a> Worker<'a> {
    pub(super) fn new(
        witness: &'a Witness,
        number: u32,
        seed: u64,
        hold: Duration,
        faults: &'a Faults,
    ) -> Self {
        // The replacement of a killed worker must not draw the same numbers again.
        let before = witness.body_calls(number).load(Ordering::Relaxed);
        let start = (u64::from(number) + 1 + (before << 32)).wrapping_mul(0x9e37_79b9_7f4a_7c15);
        Worker {
            witness,
            number,
            random: Cell::new((seed ^ start) | 1),
            hold,
            faults,
            next: Cell::new(None),
            shortage: RefCell::new(None),
            storm: RefCell::new(None),
        }
    }

    /// Calls the body until it was called `times` times, including calls by killed predecessors.
    pub(super) fn call_repeatedly(&self, body: &(dyn Fn(&Worker<'_>) + Sync), times: usize) {
        let bodies = self.witness.body_calls(self.number);
        loop {
            // Only this worker writes it while it lives.
            let before = bodies.load(Ordering::Relaxed);
            if before >= times as u64 {
                return;
            }
            bodies.store(before + 1, Ordering::Relaxed);
            self.call_once(&|worker: &Worker<'_>| body(worker));
        }
    }

    /// Calls `body` once; `None` if a fault ended it.
    pub(super) fn call_once<T>(&self, body: &dyn Fn(&Worker<'_>) -> T) -> Option<T> {
        if self.faults.kinds.is_empty() {
            Some(body(self))
        } else {
            self.call_with_faults(body)
        }
    }

    fn call_with_faults<T>(&self, body: &dyn Fn(&Worker<'_>) -> T) -> Option<T> {
        self.next.set(None);
        if self.random(self.faults.once_in) == 0 {
            let kinds = &self.faults.kinds;
            self.next
                .set(Some(kinds[self.random(kinds.len() as u64) as usize]));
        }
        let (began, ended) = self.witness.shortages();
        let ended_before = ended.load(Ordering::SeqCst);
        self.inject_at(Moment::Before);
        let outcome = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| body(self)));
        drop(self.shortage.take());
        self.storm.replace(None);
        match outcome {
            Ok(value) => Some(value),
            Err(panic) => {
                let something_was_short = began.load(Ordering::SeqCst) > ended_before;
                if !panic.is::<InjectedPanic>() && !something_was_short {
                    std::panic::resume_unwind(panic);
                }
                None
            }
        }
    }

    #[inline]
    fn inject_at(&self, moment: Moment) {
        if let Some(fault) = self.next.get()
            && fault.moment() == moment
        {
            self.inject(fault);
        }
    }

    #[cold]
    fn inject(&self, fault: Fault) {
        let count = self.witness.fault_count(fault.number());
        let number = count.fetch_add(1, Ordering::Relaxed);
        let lock_path = lockutils::get_lock_path();
        let happened = match fault {
            Fault::Kill => self.die(),
            Fault::Panic => std::panic::resume_unwind(Box::new(InjectedPanic)),
            Fault::Pause => {
                sys::pause_this_process();
                true
            }
            Fault::Fork => {
                sys::fork_orphan(CHILD_STAYS);
                true
            }
            Fault::SignalStorm => {
                let storm = SignalStorm::begin()
                    .unwrap_or_else(|error| panic!("cannot begin the signal storm: {error}"));
                self.storm.replace(Some(storm));
                true
            }
            Fault::DescriptorLimit => {
                self.begin_shortage(|| NoDescriptors::begin().map(Resource::Descriptors));
                self.shortage.borrow().is_some()
            }
            Fault::DiskFull => {
                if let Some(path) = &lock_path {
                    self.begin_shortage(|| FullDisk::begin(path).map(Resource::Disk));
                }
                self.shortage.borrow().is_some()
            }
            Fault::Unlink | Fault::Rename | Fault::Replace | Fault::RemoveDirectory => {
                lock_path.is_some_and(|path| faults::disturb_files(fault, &path, number).is_ok())
            }
        };
        if !happened {
            count.fetch_sub(1, Ordering::Relaxed);
        }
    }

    fn begin_shortage(&self, exhaust: impl FnOnce() -> std::io::Result<Resource>) {
        self.shortage
            .replace(Shortage::begin(self.witness, exhaust));
    }

    pub(super) fn enter(&self) -> SectionGuard<'a> {
        self.witness.enter(self.number)
    }

    /// Sometimes yields inside, stays for a while, or injects a fault. While a guard is dropped no
    /// panic may be injected.
    pub(super) fn stay_inside(&self, may_panic: bool) {
        if self.random(YIELD_ONCE_IN) == 0 {
            std::thread::yield_now();
        }
        if !self.hold.is_zero() {
            let hold = Duration::from_nanos(self.random(self.hold.as_nanos() as u64 + 1));
            let until = Instant::now() + hold;
            while Instant::now() < until {
                std::hint::spin_loop();
            }
        }
        if may_panic || self.next.get() != Some(Fault::Panic) {
            self.inject_at(Moment::Inside);
        }
    }

    /// Injects a fault after the section, while the lock is still held.
    pub(super) fn after_section(&self) {
        self.inject_at(Moment::After);
    }

    pub(super) fn witness(&self) -> &'a Witness {
        self.witness
    }

    /// Acquires `lock`, runs `section` as a critical section, and releases the lock.
    ///
    /// The run records the request, the answer and the release, so that the report also judges
    /// refusals, timeouts and waits. Of a lock that the body acquires itself, the run sees only the
    /// sections.
    ///
    /// # Errors
    /// Returns the error of [`Lock::run`].
    pub fn attempt<L: Lock + ?Sized>(
        &self,
        lock: &L,
        limit: WaitLimit,
        section: impl Fn(),
    ) -> Result<Answer, Box<dyn std::error::Error>> {
        self.attempt_with(lock, limit, &section, &|| ())
    }

    /// The same as [`attempt`](Self::attempt), except that `last_act` runs after the section, while
    /// the lock is still held.
    pub(crate) fn attempt_with<L: Lock + ?Sized>(
        &self,
        lock: &L,
        limit: WaitLimit,
        section: &dyn Fn(),
        last_act: &dyn Fn(),
    ) -> Result<Answer, Box<dyn std::error::Error>> {
        let mut attempt = Attempt::begin(self, limit);
        let answer = lock.run(limit, &mut || {
            attempt.mark_held();
            self.section(section);
            last_act();
        });
        attempt.end(match &answer {
            Ok(Answer::Ran) => EntryKind::Released,
            Ok(Answer::Busy) => EntryKind::Busy,
            Ok(Answer::TimedOut) => EntryKind::TimedOut,
            Ok(Answer::Unsupported) | Err(_) => EntryKind::Failed,
        });
        if matches!(answer, Ok(Answer::Unsupported)) {
            let bit = match limit {
                WaitLimit::Forever => 1,
                WaitLimit::NoWait => 2,
                WaitLimit::AtMost(_) => 4,
            };
            let unsupported = self.witness.unsupported(self.number);
            unsupported.fetch_or(bit, Ordering::Relaxed);
        }
        answer
    }

    /// The number of this worker among all threads of all processes, from 0.
    pub fn number(&self) -> u32 {
        self.number
    }

    /// A random number below `bound`, derived from the seed of the run (xorshift64, Marsaglia
    /// 2003). A `bound` of 0 counts as 1.
    pub fn random(&self, bound: u64) -> u64 {
        let x = after(self.random.get());
        self.random.set(x);
        (x >> 16) % bound.max(1)
    }

    /// Runs `section` as the critical section. The witness detects every other worker that is
    /// inside at the same time.
    pub fn section<T>(&self, section: impl FnOnce() -> T) -> T {
        let inside = self.enter();
        let value = section();
        self.stay_inside(true);
        drop(inside);
        self.after_section();
        value
    }

    /// Runs `section` as the critical section of a reader: it may overlap with those of other
    /// readers but not with a [`section`](Self::section).
    pub fn shared_section<T>(&self, section: impl FnOnce() -> T) -> T {
        let inside = self.witness.enter_shared(self.number);
        let value = section();
        self.stay_inside(true);
        drop(inside);
        self.after_section();
        value
    }

    /// Kills the process of this worker (SIGKILL, TerminateProcess): shows what becomes of the lock when its
    /// holder dies.
    pub fn die(&self) -> ! {
        let shape = self.witness.shape();
        let first = self.number / shape.threads as u32 * shape.threads as u32;
        for worker in first..first + shape.threads as u32 {
            self.witness.mark_dying(worker);
        }
        sys::kill_this_process()
    }
}

/// One call of a lock in the history of the run; it ends there also if the call panics.
struct Attempt<'a, 'w> {
    worker: &'a Worker<'w>,
    held: bool,
    ended: bool,
    /// A child forked in the section returns here as well and records nothing.
    forks: u64,
}

impl<'a, 'w> Attempt<'a, 'w> {
    fn begin(worker: &'a Worker<'w>, limit: WaitLimit) -> Self {
        worker
            .witness
            .waiting(worker.number)
            .fetch_or(1, Ordering::AcqRel);
        let mode = Mode::Exclusive;
        worker
            .witness
            .record(worker.number, EntryKind::Requested { mode, limit });
        Attempt {
            worker,
            held: false,
            ended: false,
            forks: forks(),
        }
    }

    fn mark_held(&mut self) {
        self.held = true;
        self.clear_waiting();
    }

    fn clear_waiting(&self) {
        let waiting = self.worker.witness.waiting(self.worker.number);
        waiting.fetch_and(!1, Ordering::AcqRel);
    }

    fn end(&mut self, kind: EntryKind) {
        self.ended = true;
        if self.forks == forks() {
            self.clear_waiting();
            self.worker.witness.record(self.worker.number, kind);
        }
    }
}

impl Drop for Attempt<'_, '_> {
    fn drop(&mut self) {
        if !self.ended {
            self.end(if self.held {
                EntryKind::Released
            } else {
                EntryKind::Failed
            });
        }
    }
}
