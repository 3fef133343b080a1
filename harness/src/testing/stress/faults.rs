//! Faults injected into the workers of a run: at random moments derived from the seed, counted, and
//! over before the next section.

use std::fs;
use std::io;
use std::path::Path;
use std::sync::atomic::{AtomicI64, AtomicU32, Ordering};
use std::time::Duration;

use nix::sys::resource::{Resource, getrlimit, setrlimit};
use nix::sys::signal::{SaFlags, SigAction, SigHandler, SigSet, Signal, raise, sigaction};
use nix::sys::statvfs::statvfs;
use nix::sys::wait::waitpid;
use nix::unistd::{ForkResult, fork};

/// A fault injected into a worker; see [`Stress::faults`](super::Stress::faults).
///
/// Faults of files affect all files of the lock path and are the last act of a holder before its
/// release: no lock file survives being taken away by another program during a section.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Fault {
    /// The process is killed in the section, and another replaces it.
    Kill,
    /// The process is stopped in the section and continued some milliseconds later.
    Pause,
    /// The body panics in the section.
    Panic,
    /// The process forks in the section, and the child lives for some milliseconds.
    Fork,
    /// Signals interrupt the next acquire: bursts of one every 120 µs, with growing pauses, so that
    /// every sleep ends eventually.
    SignalStorm,
    /// The lock files are unlinked.
    Unlink,
    /// The lock files are renamed.
    Rename,
    /// The lock files are replaced by new ones.
    Replace,
    /// The lock path is removed with everything in it.
    RemoveDirectory,
    /// The process has no file descriptor left for the next acquire, which may fail.
    DescriptorLimit,
    /// The disk is full and the lock files are gone: the next acquires may fail. Injected only on a
    /// file system of at most 16 MiB or 10,000 files.
    DiskFull,
}

impl Fault {
    /// All faults.
    pub const ALL: &[Fault] = &[
        Fault::Kill,
        Fault::Pause,
        Fault::Panic,
        Fault::Fork,
        Fault::SignalStorm,
        Fault::Unlink,
        Fault::Rename,
        Fault::Replace,
        Fault::RemoveDirectory,
        Fault::DescriptorLimit,
        Fault::DiskFull,
    ];

    pub(super) fn number(self) -> usize {
        self as usize
    }

    /// The moment at which the fault is injected.
    pub(super) fn moment(self) -> Moment {
        match self {
            Fault::Kill | Fault::Pause | Fault::Panic | Fault::Fork => Moment::Inside,
            Fault::SignalStorm | Fault::DescriptorLimit => Moment::Before,
            Fault::Unlink
            | Fault::Rename
            | Fault::Replace
            | Fault::RemoveDirectory
            | Fault::DiskFull => Moment::After,
        }
    }
}

impl std::fmt::Display for Fault {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Fault::Kill => "kill",
            Fault::Pause => "pause",
            Fault::Panic => "panic",
            Fault::Fork => "fork",
            Fault::SignalStorm => "signal storm",
            Fault::Unlink => "unlink",
            Fault::Rename => "rename",
            Fault::Replace => "replace",
            Fault::RemoveDirectory => "remove directory",
            Fault::DescriptorLimit => "descriptor limit",
            Fault::DiskFull => "disk full",
        })
    }
}

/// The moment at which a fault is injected.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Moment {
    /// Before the body requests the lock.
    Before,
    /// In the section.
    Inside,
    /// After the section, while the lock is still held.
    After,
}

/// The faults of a run, injected once in so many calls of the body.
#[derive(Clone, Debug, Default)]
pub(super) struct Faults {
    pub(super) kinds: Vec<Fault>,
    pub(super) once_in: u64,
}

/// Time for which a child forked in a section keeps its copies.
const CHILD_STAYS: Duration = Duration::from_millis(3);

/// Stops this process. The coordinator continues it.
pub(super) fn pause() {
    let _ = raise(Signal::SIGSTOP);
}

/// Forks a child that leaves by itself and is not a child of this process any more.
pub(super) fn fork_orphan() {
    let leave = || -> ! {
        // SAFETY: ends the child; nothing of the test runs there.
        unsafe { libc::_exit(0) }
    };
    // SAFETY: both children call nothing but fork, nanosleep and _exit.
    match unsafe { fork() } {
        Ok(ForkResult::Parent { child }) => drop(waitpid(child, None)),
        Ok(ForkResult::Child) => {
            // SAFETY: as above.
            if let Ok(ForkResult::Child) = unsafe { fork() } {
                std::thread::sleep(CHILD_STAYS);
            }
            leave()
        }
        Err(_) => {}
    }
}

/// Interrupts the threads of this process with SIGALRM until the value is dropped; for worker
/// processes only, since the handler stays installed.
///
/// An interrupted sleep continues for the rest of its time *and* the timer slack of the thread
/// (50 µs by default: `PR_SET_TIMERSLACK`, prctl(2)). Under a signal every 30 µs no sleep would
/// ever end, nor a correct lock that polls every millisecond. So signals come in bursts,
/// [`INTERVAL`] apart, and each pause between two bursts is twice as long as the one before: every
/// sleep shorter than [`LONGEST_PAUSE`] ends.
#[derive(Debug)]
pub(crate) struct SignalStorm(());

/// Microseconds between two signals of a burst.
const INTERVAL: libc::suseconds_t = 120;
/// Signals in a burst.
const BURST: u32 = 24;
const FIRST_PAUSE: libc::suseconds_t = 500;
const LONGEST_PAUSE: libc::suseconds_t = 500_000;

/// Signals left in this burst.
static LEFT: AtomicU32 = AtomicU32::new(0);
/// The next pause in microseconds; 0 when the storm is over.
static PAUSE: AtomicI64 = AtomicI64::new(0);

impl SignalStorm {
    pub(crate) fn begin() -> Self {
        let action = SigAction::new(
            SigHandler::Handler(on_signal),
            SaFlags::empty(), // no SA_RESTART: system calls fail with EINTR
            SigSet::empty(),
        );
        // SAFETY: the handler uses atomics and setitimer(2), a plain system call.
        if let Err(error) = unsafe { sigaction(Signal::SIGALRM, &action) } {
            panic!("cannot install the handler of SIGALRM: {error}");
        }
        LEFT.store(BURST, Ordering::Relaxed);
        PAUSE.store(FIRST_PAUSE, Ordering::Relaxed);
        next_signal(INTERVAL);
        SignalStorm(())
    }
}

impl Drop for SignalStorm {
    fn drop(&mut self) {
        PAUSE.store(0, Ordering::Relaxed);
        next_signal(0);
    }
}

extern "C" fn on_signal(_: i32) {
    let pause = PAUSE.load(Ordering::Relaxed);
    if pause == 0 {
        return;
    }
    let left = LEFT.load(Ordering::Relaxed);
    if left > 0 {
        LEFT.store(left - 1, Ordering::Relaxed);
        return next_signal(INTERVAL);
    }
    LEFT.store(BURST, Ordering::Relaxed);
    let next = (2 * pause).min(LONGEST_PAUSE);
    // Fails if another thread has ended the storm meanwhile.
    let _ = PAUSE.compare_exchange(pause, next, Ordering::Relaxed, Ordering::Relaxed);
    next_signal(pause);
}

/// Schedules one signal after this time, and none for 0. Preserves errno, which the interrupted
/// code may be about to read.
fn next_signal(microseconds: libc::suseconds_t) {
    let once = libc::itimerval {
        it_interval: libc::timeval {
            tv_sec: 0,
            tv_usec: 0,
        },
        it_value: libc::timeval {
            tv_sec: 0,
            tv_usec: microseconds,
        },
    };
    // SAFETY: errno belongs to this thread; the timer value is only read, no old value is
    // requested.
    unsafe {
        let errno = libc::__errno_location();
        let before = *errno;
        libc::setitimer(libc::ITIMER_REAL, &once, std::ptr::null_mut());
        *errno = before;
    }
}

/// Prevents this process from opening descriptors until the value is dropped.
#[derive(Debug)]
pub(super) struct NoDescriptors {
    before: (u64, u64),
}

impl NoDescriptors {
    pub(super) fn begin() -> io::Result<Self> {
        let before = getrlimit(Resource::RLIMIT_NOFILE)?;
        setrlimit(Resource::RLIMIT_NOFILE, 0, before.1)?;
        Ok(NoDescriptors { before })
    }
}

impl Drop for NoDescriptors {
    fn drop(&mut self) {
        let _ = setrlimit(Resource::RLIMIT_NOFILE, self.before.0, self.before.1);
    }
}

/// Removes, renames or replaces the files in `directory`.
pub(super) fn disturb_files(fault: Fault, directory: &Path, number: u64) -> io::Result<()> {
    if fault == Fault::RemoveDirectory {
        return fs::remove_dir_all(directory);
    }
    for entry in fs::read_dir(directory)? {
        let path = entry?.path();
        let name = path.file_name().unwrap_or_default().to_string_lossy();
        if name.starts_with(AWAY) || name.starts_with(FILLER) || !path.is_file() {
            continue;
        }
        // One name per fault: a file that was renamed must not come back as a replacement.
        let away = directory.join(format!(
            "{AWAY}{fault}-{}-{number}-{name}",
            std::process::id()
        ));
        let outcome = match fault {
            Fault::Rename => fs::rename(&path, &away),
            Fault::Replace => fs::write(&away, "").and_then(|()| fs::rename(&away, &path)),
            _ => fs::remove_file(&path),
        };
        match outcome {
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
            _ => {}
        }
    }
    Ok(())
}

const AWAY: &str = ".away-";
const FILLER: &str = ".filler-";
const SMALL_BYTES: u64 = 16 << 20;
const SMALL_FILES: u64 = 10_000;

/// A file system that is full until the value is dropped.
#[derive(Debug)]
pub(super) struct FullDisk {
    fillers: Vec<std::path::PathBuf>,
}

impl FullDisk {
    /// Fills the file system of `directory` if it is a small one.
    pub(super) fn begin(directory: &Path) -> io::Result<Self> {
        let disk = statvfs(directory)?;
        let few_files = disk.files() > 0 && disk.files() <= SMALL_FILES;
        if disk.blocks() * disk.fragment_size() > SMALL_BYTES && !few_files {
            return Err(io::ErrorKind::Unsupported.into());
        }
        disturb_files(Fault::Unlink, directory, 0)?;
        let mut full = FullDisk {
            fillers: Vec::new(),
        };
        let chunk = vec![0; 1 << 20];
        for number in 0.. {
            let filler = directory.join(format!("{FILLER}{}-{number}", std::process::id()));
            full.fillers.push(filler.clone());
            let room_left = if few_files {
                fs::write(&filler, "").is_ok()
            } else {
                fs::write(&filler, &chunk).is_ok()
            };
            if !room_left {
                return Ok(full);
            }
        }
        Ok(full)
    }
}

impl Drop for FullDisk {
    fn drop(&mut self) {
        for filler in &self.fillers {
            let _ = fs::remove_file(filler);
        }
    }
}
