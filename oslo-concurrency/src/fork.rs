//! What happens to our locks when the process forks.
//!
//! A forked child gets copies of the parent's descriptors and of its memory. A copied descriptor shares
//! the open file description, so it would keep the parent's lock alive after the parent's death, and
//! unlocking it would free the parent's lock. A copied mutex may be held by a thread that the child does not
//! have. Handlers installed with `pthread_atfork(3)` therefore close the child's copies and move the child to a
//! new *generation*; whatever carries the number of an older generation is dead memory: it is neither locked
//! nor unlocked, closed nor freed.
//!
//! `posix_spawn` and `vfork` need nothing of this: the descriptors are close-on-exec. A child made by a bare
//! `clone(2)` system call that never execs runs no handlers and is not supported.

use std::io;
use std::marker::PhantomData;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, FromRawFd, IntoRawFd, OwnedFd, RawFd};
use std::ptr;
use std::sync::atomic::{AtomicBool, AtomicI32, AtomicPtr, AtomicU64, Ordering};
use std::time::{Duration, Instant};

static GENERATION: AtomicU64 = AtomicU64::new(1);
static FORKS_STARTED: AtomicU64 = AtomicU64::new(0);
static FORKS_FINISHED: AtomicU64 = AtomicU64::new(0);
/// Threads between the opening of a descriptor and its entry in the table.
static OPENERS: AtomicU64 = AtomicU64::new(0);
/// How long a fork waits for them. More would risk that they wait for something that the forking thread has locked.
const LET_OPENERS_FINISH: Duration = Duration::from_millis(10);
/// Those of them that forks have held up for [`HELD_UP_FOR_LONG`]. A fork lets them go first: otherwise threads that
/// fork all the time would let nobody open anything.
static HELD_UP: AtomicU64 = AtomicU64::new(0);
const HELD_UP_FOR_LONG: Duration = Duration::from_millis(5);
/// How long a fork waits for them in all, though no longer than [`LET_OPENERS_FINISH`] while no other is under way.
const LET_HELD_UP_GO_FIRST: Duration = Duration::from_secs(1);
/// Whether the fork that is under way is made by a process of several threads.
static FORKER_HAS_THREADS: AtomicBool = AtomicBool::new(false);
/// Whether this process, or one that it descends from, was forked from a process of several threads.
static SILENT: AtomicBool = AtomicBool::new(false);

/// The number of this process in its line of forks; everything that must not outlive a fork carries it.
pub(crate) fn generation() -> u64 {
    GENERATION.load(Ordering::Relaxed)
}

/// Returns `false` in a child that was forked from a process of several threads.
///
/// Another thread may have been writing a log line at the moment of the fork. The locks that it held, of the
/// subscriber, of standard output or of `tracing` itself, stay locked in the child, which would wait for ever.
pub(crate) fn may_log() -> bool {
    !SILENT.load(Ordering::Relaxed)
}

/// Installed when the program is loaded: a fork that is already under way runs no handlers that are installed
/// meanwhile, and its child would keep a lock file that is opened before the fork has happened.
#[used]
// SAFETY: the section holds pointers to functions that are called with arguments that this one ignores, once, before `main`.
#[unsafe(link_section = ".init_array")]
static AT_START: extern "C" fn() = install_handlers;

/// Installs the handlers. Installing them twice does no harm, so no lock is needed that a fork could catch half-way.
extern "C" fn install_handlers() {
    static INSTALLED: AtomicBool = AtomicBool::new(false);
    if INSTALLED.load(Ordering::Acquire) {
        return;
    }
    // SAFETY: the three handlers are plain functions that only touch atomics and make system calls that are
    // async-signal-safe.
    unsafe {
        libc::pthread_atfork(
            Some(before_fork),
            Some(after_fork_in_parent),
            Some(after_fork_in_child),
        )
    };
    INSTALLED.store(true, Ordering::Release);
}

/// Holds up whoever is about to open a descriptor, and waits for those who are at it: a descriptor that is open but
/// not in the table would stay open in the child.
extern "C" fn before_fork() {
    let_those_go_first_that_were_held_up();
    FORKS_STARTED.fetch_add(1, Ordering::SeqCst);
    let began = Instant::now();
    while OPENERS.load(Ordering::SeqCst) != 0 && began.elapsed() < LET_OPENERS_FINISH {
        std::thread::yield_now();
    }
    FORKER_HAS_THREADS.store(!is_single_threaded(), Ordering::Relaxed);
}

fn let_those_go_first_that_were_held_up() {
    let began = Instant::now();
    let mut alone_since = began;
    while HELD_UP.load(Ordering::SeqCst) != 0
        && alone_since.elapsed() < LET_OPENERS_FINISH
        && began.elapsed() < LET_HELD_UP_GO_FIRST
    {
        std::thread::yield_now();
        if FORKS_STARTED.load(Ordering::SeqCst) != FORKS_FINISHED.load(Ordering::SeqCst) {
            alone_since = Instant::now();
        }
    }
}

/// Counts the threads without taking a lock; `false` if they cannot be counted.
fn is_single_threaded() -> bool {
    let mut stat = std::mem::MaybeUninit::<libc::stat>::zeroed();
    // SAFETY: the path is a C string, and `stat` is valid for the call.
    let found = unsafe { libc::stat(c"/proc/self/task".as_ptr(), stat.as_mut_ptr()) } == 0;
    // SAFETY: all zeroes is a valid value, and the call has filled it in if it returned 0.
    let links = unsafe { stat.assume_init() }.st_nlink;
    // The directory has two links of its own and one for each thread (fs/proc/base.c, proc_task_getattr).
    found && links == 3
}

extern "C" fn after_fork_in_parent() {
    FORKS_FINISHED.fetch_add(1, Ordering::SeqCst);
}

extern "C" fn after_fork_in_child() {
    GENERATION.fetch_add(1, Ordering::SeqCst);
    crate::threads::forget_after_fork();
    if FORKER_HAS_THREADS.load(Ordering::Relaxed) {
        SILENT.store(true, Ordering::Relaxed);
    }
    OPENERS.store(0, Ordering::SeqCst);
    HELD_UP.store(0, Ordering::SeqCst);
    FORKS_FINISHED.store(FORKS_STARTED.load(Ordering::SeqCst), Ordering::SeqCst);
    for slot in slots() {
        let fd = slot.swap(FREE, Ordering::SeqCst);
        if fd != FREE {
            // SAFETY: the slot says that this descriptor is the copy of one of ours, and the objects that own it belong to
            // the parent's generation, so that nothing else will close it.
            unsafe { libc::close(fd) };
        }
    }
}

// ---- the table of lock descriptors: readable in the child without taking any lock ----

const FREE: RawFd = -1;
const SLOTS: usize = 62;

struct Chunk {
    slots: [AtomicI32; SLOTS],
    next: AtomicPtr<Chunk>,
}

impl Chunk {
    const fn new() -> Self {
        Chunk {
            slots: [const { AtomicI32::new(FREE) }; SLOTS],
            next: AtomicPtr::new(ptr::null_mut()),
        }
    }

    fn next(&self) -> Option<&'static Chunk> {
        // SAFETY: `next` is null or a chunk that was leaked on purpose: chunks are never freed.
        unsafe { self.next.load(Ordering::Acquire).as_ref() }
    }
}

static TABLE: Chunk = Chunk::new();

fn chunks() -> impl Iterator<Item = &'static Chunk> {
    std::iter::successors(Some(&TABLE), |chunk| chunk.next())
}

fn slots() -> impl Iterator<Item = &'static AtomicI32> {
    chunks().flat_map(|chunk| &chunk.slots)
}

fn claim_slot(fd: RawFd) -> &'static AtomicI32 {
    loop {
        let claimed = slots().find(|slot| {
            slot.compare_exchange(FREE, fd, Ordering::SeqCst, Ordering::Relaxed)
                .is_ok()
        });
        match claimed {
            Some(slot) => return slot,
            None => grow(),
        }
    }
}

fn grow() {
    let fresh = Box::into_raw(Box::new(Chunk::new()));
    let last = chunks().last().unwrap_or(&TABLE);
    if last
        .next
        .compare_exchange(ptr::null_mut(), fresh, Ordering::AcqRel, Ordering::Relaxed)
        .is_err()
    {
        // SAFETY: the exchange failed, so `fresh` was not published and is still ours alone.
        drop(unsafe { Box::from_raw(fresh) });
    }
}

/// A descriptor that a forked child does not keep: the child's copy is closed before `fork` returns there.
#[derive(Debug)]
pub(crate) struct ProcessFd {
    fd: RawFd,
    slot: &'static AtomicI32,
    generation: u64,
}

impl ProcessFd {
    /// Opens a descriptor with `open` and enters it into the table. When another thread forks in between, the child
    /// may have a copy that it does not know of; the descriptor is then thrown away and opened anew.
    pub(crate) fn open(mut open: impl FnMut() -> io::Result<OwnedFd>) -> io::Result<Self> {
        install_handlers();
        let began = Instant::now();
        let mut held_up = None;
        loop {
            if held_up.is_none() && began.elapsed() > HELD_UP_FOR_LONG {
                held_up = Some(Counted::in_(&HELD_UP));
            }
            let Some((opener, forks)) = between_forks() else {
                continue;
            };
            let fd = above_standard_streams(open()?)?.into_raw_fd();
            let opened = ProcessFd {
                fd,
                slot: claim_slot(fd),
                generation: generation(),
            };
            drop(opener);
            if FORKS_STARTED.load(Ordering::SeqCst) == forks {
                return Ok(opened);
            }
        }
    }
}

/// Counts the thread among those that a fork waits for, and returns the number of forks so far. `None`, after a
/// moment, if a fork is under way, which may not have seen it.
fn between_forks() -> Option<(Counted, u64)> {
    let forks = FORKS_STARTED.load(Ordering::SeqCst);
    let opener = Counted::in_(&OPENERS);
    if FORKS_STARTED.load(Ordering::SeqCst) == forks
        && FORKS_FINISHED.load(Ordering::SeqCst) == forks
    {
        return Some((opener, forks));
    }
    drop(opener);
    std::thread::yield_now();
    None
}

/// A thread that is counted.
struct Counted(&'static AtomicU64);

impl Counted {
    fn in_(count: &'static AtomicU64) -> Self {
        count.fetch_add(1, Ordering::SeqCst);
        Counted(count)
    }
}

impl Drop for Counted {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::SeqCst);
    }
}

/// Moves a descriptor away from 0, 1 and 2, which a program may have closed: it writes there all the same, and a
/// lock file is never written to.
fn above_standard_streams(fd: OwnedFd) -> io::Result<OwnedFd> {
    if fd.as_raw_fd() > libc::STDERR_FILENO {
        return Ok(fd);
    }
    let lowest = libc::STDERR_FILENO + 1;
    let moved = nix::fcntl::fcntl(&fd, nix::fcntl::FcntlArg::F_DUPFD_CLOEXEC(lowest))?;
    // SAFETY: the call has just made this descriptor, and nobody else knows it.
    Ok(unsafe { OwnedFd::from_raw_fd(moved) })
}

impl AsFd for ProcessFd {
    fn as_fd(&self) -> BorrowedFd<'_> {
        debug_assert_eq!(
            self.generation,
            generation(),
            "a lock descriptor of the parent process was used"
        );
        // SAFETY: in its own generation the descriptor stays open until `self` is dropped.
        unsafe { BorrowedFd::borrow_raw(self.fd) }
    }
}

impl AsRawFd for ProcessFd {
    fn as_raw_fd(&self) -> RawFd {
        self.fd
    }
}

impl Drop for ProcessFd {
    fn drop(&mut self) {
        if self.generation != generation() {
            return;
        }
        // A fork between the two lines below would leave the child a descriptor that it does not know of. Whoever forks
        // all the time does not keep us for ever: no file that still has its name is locked by this descriptor.
        let began = Instant::now();
        let _closing = loop {
            let counted = between_forks();
            if counted.is_some() || began.elapsed() > HELD_UP_FOR_LONG {
                break counted;
            }
        };
        self.slot.store(FREE, Ordering::SeqCst);
        // SAFETY: we own the descriptor, and the slot no longer names it, so that no child will close it as well.
        unsafe { libc::close(self.fd) };
    }
}

// ---- state that starts afresh in a forked child ----

/// A value that each process makes for itself: after a fork the child sees a new default, and the parent's
/// value, whose locks may be held by threads that the child does not have, is left untouched.
#[derive(Debug)]
pub(crate) struct PerProcess<T> {
    current: AtomicPtr<Tagged<T>>,
    /// It owns a `T` and hands out references: a pointer alone would be `Send` and `Sync` whatever `T` is.
    _owned: PhantomData<Owned<T>>,
}

/// What a cell that is filled through a shared reference owns: as with `OnceLock`, sharing it needs a value that is
/// `Send`, because another thread may fill or drop it, and `Sync`.
pub(crate) type Owned<T> = (T, std::sync::Mutex<T>);

#[derive(Debug)]
struct Tagged<T> {
    generation: u64,
    value: T,
}

impl<T> PerProcess<T> {
    pub(crate) const fn new() -> Self {
        PerProcess {
            current: AtomicPtr::new(ptr::null_mut()),
            _owned: PhantomData,
        }
    }

    /// The value of this process, if it has been made.
    pub(crate) fn peek(&self) -> Option<&T> {
        // SAFETY: a published value is freed only by `drop`, which has exclusive access; a value of an older
        // generation is leaked.
        let tagged = unsafe { self.current.load(Ordering::Acquire).as_ref() }?;
        (tagged.generation == generation()).then_some(&tagged.value)
    }

    /// The value of this process, made by `make` if need be. When two threads race, one of the two values made is dropped.
    pub(crate) fn get_or_make(&self, make: impl FnOnce() -> T) -> &T {
        match self.peek() {
            Some(value) => value,
            None => self.publish(make()),
        }
    }

    #[cold]
    fn publish(&self, value: T) -> &T {
        install_handlers();
        let seen = self.current.load(Ordering::Acquire);
        if let Some(value) = self.peek() {
            return value;
        }
        let fresh = Box::into_raw(Box::new(Tagged {
            generation: generation(),
            value,
        }));
        match self
            .current
            .compare_exchange(seen, fresh, Ordering::AcqRel, Ordering::Acquire)
        {
            // SAFETY: just published, see `peek`.
            Ok(_) => unsafe { &(*fresh).value },
            Err(winner) => {
                // SAFETY: `fresh` was not published and is ours alone.
                drop(unsafe { Box::from_raw(fresh) });
                // SAFETY: the winner was published by a thread of this process, see `peek`.
                unsafe { &(*winner).value }
            }
        }
    }
}

impl<T> Drop for PerProcess<T> {
    fn drop(&mut self) {
        let tagged = *self.current.get_mut();
        // SAFETY: we have exclusive access to a value that was published or is null.
        if unsafe { tagged.as_ref() }.is_some_and(|tagged| tagged.generation == generation()) {
            // SAFETY: as above; it came from `Box::into_raw`.
            drop(unsafe { Box::from_raw(tagged) });
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::net::UnixStream;

    #[test]
    fn slots_are_claimed_once_and_found_again() {
        let opened: Vec<ProcessFd> = (0..SLOTS * 2)
            .map(|_| {
                ProcessFd::open(|| UnixStream::pair().map(|(one, _)| OwnedFd::from(one))).unwrap()
            })
            .collect();
        for fd in &opened {
            assert_eq!(
                slots()
                    .filter(|slot| slot.load(Ordering::SeqCst) == fd.as_raw_fd())
                    .count(),
                1
            );
        }
        let numbers: Vec<RawFd> = opened.iter().map(AsRawFd::as_raw_fd).collect();
        let table = opened[0].slot as *const _;
        drop(opened);
        assert!(
            slots().any(|slot| ptr::eq(slot, table)),
            "slots are never freed"
        );
        assert!(!numbers.is_empty());
    }

    /// Threads that fork all the time: there is hardly a moment at which none of them does.
    #[test]
    fn a_descriptor_is_opened_while_other_threads_fork_without_a_pause() {
        let over = AtomicBool::new(false);
        std::thread::scope(|scope| {
            for _ in 0..8 {
                scope.spawn(|| {
                    while !over.load(Ordering::SeqCst) {
                        before_fork();
                        std::thread::sleep(Duration::from_millis(2)); // a large process takes so long
                        after_fork_in_parent();
                    }
                });
            }
            let (send, opened) = std::sync::mpsc::channel();
            std::thread::spawn(move || {
                for _ in 0..20 {
                    let pair = || UnixStream::pair().map(|(one, _)| OwnedFd::from(one));
                    let _ = send.send(ProcessFd::open(pair).is_ok());
                }
            });
            let all = (0..20).all(|_| opened.recv_timeout(Duration::from_secs(10)) == Ok(true));
            over.store(true, Ordering::SeqCst);
            assert!(all, "an opener has to wait for ever");
        });
    }

    #[test]
    fn a_value_is_made_once_per_process() {
        let value: PerProcess<u32> = PerProcess::new();
        assert_eq!(value.peek(), None);
        assert_eq!(*value.get_or_make(|| 7), 7);
        assert_eq!(*value.get_or_make(|| 8), 7);
        assert_eq!(value.peek(), Some(&7));
    }
}
