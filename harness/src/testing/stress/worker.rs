//! One thread of a worker process.

use std::cell::{Cell, RefCell};
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use nix::sys::signal::{Signal, raise};
use oslo_concurrency::lockutils;

use super::faults::{self, Fault, Faults, FullDisk, Moment, NoDescriptors, SignalStorm};
use crate::model::after;
use crate::testing::history::Mode;
use crate::testing::lock::{Answer, Lock, WaitLimit};
use crate::testing::witness::{EntryKind, Inside, Witness, forks};

/// So often a worker lets others run while it is inside: with more workers than processors, those who wrongly come in would otherwise
/// mostly do so while nobody is there.
const YIELD_ONCE_IN: u64 = 16;

/// What the body of a run is given.
#[derive(Debug)]
pub struct Worker<'a> {
    witness: &'a Witness,
    number: u32,
    random: Cell<u64>,
    hold: Duration,
    faults: &'a Faults,
    /// What is to befall it in this call of the body.
    next: Cell<Option<Fault>>,
    shortage: RefCell<Option<Shortage<'a>>>,
    storm: RefCell<Option<SignalStorm>>,
}

/// What a worker is short of, until the value is dropped; a body may fail meanwhile, in any worker.
#[derive(Debug)]
struct Shortage<'a> {
    witness: &'a Witness,
    _of: Of,
}

#[derive(Debug)]
#[expect(dead_code, reason = "held for their drop")]
enum Of {
    Descriptors(NoDescriptors),
    Disk(FullDisk),
}

impl<'a> Shortage<'a> {
    fn begin(witness: &'a Witness, of: impl FnOnce() -> std::io::Result<Of>) -> Option<Self> {
        witness.shortages().0.fetch_add(1, Ordering::SeqCst);
        match of() {
            Ok(of) => Some(Shortage { witness, _of: of }),
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

/// A panic that was wanted.
#[derive(Debug)]
struct Wanted;

impl<'a> Worker<'a> {
    pub(super) fn new(
        witness: &'a Witness,
        number: u32,
        seed: u64,
        hold: Duration,
        faults: &'a Faults,
    ) -> Self {
        // One that goes on for another that was killed must not draw the same numbers again.
        let before = witness.bodies(number).load(Ordering::Relaxed);
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

    /// Calls the body until it was called so often, also by those that were killed in this one's place.
    pub(super) fn call(&self, body: &(dyn Fn(&Worker<'_>) + Sync), times: usize) {
        let bodies = self.witness.bodies(self.number);
        loop {
            // Nobody else writes it while this worker lives.
            let before = bodies.load(Ordering::Relaxed);
            if before >= times as u64 {
                return;
            }
            bodies.store(before + 1, Ordering::Relaxed);
            self.call_of(&|worker: &Worker<'_>| body(worker));
        }
    }

    /// Calls `body` once; `None` if a fault ended it.
    pub(super) fn call_of<T>(&self, body: &dyn Fn(&Worker<'_>) -> T) -> Option<T> {
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
        self.befall(Moment::Before);
        let outcome = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| body(self)));
        drop(self.shortage.take());
        drop(self.storm.take());
        match outcome {
            Ok(value) => Some(value),
            Err(panic) => {
                let something_was_short = began.load(Ordering::SeqCst) > ended_before;
                if !panic.is::<Wanted>() && !something_was_short {
                    std::panic::resume_unwind(panic);
                }
                None
            }
        }
    }

    #[inline]
    fn befall(&self, moment: Moment) {
        if let Some(fault) = self.next.get()
            && fault.moment() == moment
        {
            self.suffer(fault);
        }
    }

    #[cold]
    fn suffer(&self, fault: Fault) {
        let count = self.witness.faults(fault.number());
        let number = count.fetch_add(1, Ordering::Relaxed);
        let lock_path = lockutils::get_lock_path();
        let happened = match fault {
            Fault::Kill => self.die(),
            Fault::Panic => std::panic::resume_unwind(Box::new(Wanted)),
            Fault::Pause => {
                faults::pause();
                true
            }
            Fault::Fork => {
                faults::fork_a_child();
                true
            }
            Fault::SignalStorm => {
                self.storm.replace(Some(SignalStorm::begin()));
                true
            }
            Fault::DescriptorLimit => {
                self.be_short(|| NoDescriptors::now().map(Of::Descriptors));
                self.shortage.borrow().is_some()
            }
            Fault::DiskFull => {
                if let Some(path) = &lock_path {
                    self.be_short(|| FullDisk::now(path).map(Of::Disk));
                }
                self.shortage.borrow().is_some()
            }
            Fault::Unlink | Fault::Rename | Fault::Replace | Fault::RemoveDirectory => {
                lock_path.is_some_and(|path| faults::take_away(fault, &path, number).is_ok())
            }
        };
        if !happened {
            count.fetch_sub(1, Ordering::Relaxed);
        }
    }

    fn be_short(&self, of: impl FnOnce() -> std::io::Result<Of>) {
        self.shortage.replace(Shortage::begin(self.witness, of));
    }

    pub(super) fn enter(&self) -> Inside<'a> {
        self.witness.enter(self.number)
    }

    /// What a worker does inside: sometimes it lets others run, stays for a while, or something befalls it. A panic may not come while
    /// the guard is being dropped.
    pub(super) fn linger(&self, may_panic: bool) {
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
            self.befall(Moment::Inside);
        }
    }

    /// What befalls it when it has left the section, and still holds the lock.
    pub(super) fn afterwards(&self) {
        self.befall(Moment::After);
    }

    pub(super) fn witness(&self) -> &'a Witness {
        self.witness
    }

    /// Asks `lock` for itself, and is in the section while it holds it. The history of the run has every kind of it, and the report says
    /// whether the lock answered as it should; of a lock that the body asks on its own it sees the sections only.
    ///
    /// # Errors
    /// What the lock says.
    pub fn attempt<L: Lock + ?Sized>(
        &self,
        lock: &L,
        limit: WaitLimit,
        section: impl Fn(),
    ) -> Result<Answer, Box<dyn std::error::Error>> {
        self.attempt_with(lock, limit, &section, &|| ())
    }

    /// As [`attempt`](Self::attempt); `last_act` is done under the lock as well, when the section has been left.
    pub(crate) fn attempt_with<L: Lock + ?Sized>(
        &self,
        lock: &L,
        limit: WaitLimit,
        section: &dyn Fn(),
        last_act: &dyn Fn(),
    ) -> Result<Answer, Box<dyn std::error::Error>> {
        let mut attempt = Attempt::begin(self, limit);
        let answer = lock.run(limit, &mut || {
            attempt.holds();
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

    /// Its number among all threads of all processes, from 0.
    pub fn number(&self) -> u32 {
        self.number
    }

    /// A random number below `limit`, from the seed of the run (xorshift64, Marsaglia 2003).
    pub fn random(&self, limit: u64) -> u64 {
        let x = after(self.random.get());
        self.random.set(x);
        (x >> 16) % limit.max(1)
    }

    /// The critical section: the witness sees who else is in one at the same time.
    pub fn section<T>(&self, section: impl FnOnce() -> T) -> T {
        let inside = self.enter();
        let value = section();
        self.linger(true);
        drop(inside);
        self.afterwards();
        value
    }

    /// The section of a reader: others may be in theirs, but nobody in a [`section`](Self::section).
    pub fn shared_section<T>(&self, section: impl FnOnce() -> T) -> T {
        let inside = self.witness.enter_shared(self.number);
        let value = section();
        self.linger(true);
        drop(inside);
        self.afterwards();
        value
    }

    /// Kills its own process with SIGKILL, here and now: for trying what becomes of the lock of a holder that dies.
    pub fn die(&self) -> ! {
        let shape = self.witness.shape();
        let first = self.number / shape.threads as u32 * shape.threads as u32;
        for worker in first..first + shape.threads as u32 {
            self.witness.is_dying(worker);
        }
        let _ = raise(Signal::SIGKILL);
        unreachable!("SIGKILL cannot be survived")
    }
}

/// One call of a lock, as the history sees it; also if a panic ends it.
struct Attempt<'a, 'w> {
    worker: &'a Worker<'w>,
    held: bool,
    ended: bool,
    /// A child that was forked in the section comes back here as well, and notes nothing.
    forks: u64,
}

impl<'a, 'w> Attempt<'a, 'w> {
    fn begin(worker: &'a Worker<'w>, limit: WaitLimit) -> Self {
        worker
            .witness
            .asking(worker.number)
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

    fn holds(&mut self) {
        self.held = true;
        self.is_answered();
    }

    fn is_answered(&self) {
        let asking = self.worker.witness.asking(self.worker.number);
        asking.fetch_and(!1, Ordering::AcqRel);
    }

    fn end(&mut self, kind: EntryKind) {
        self.ended = true;
        if self.forks == forks() {
            self.is_answered();
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
