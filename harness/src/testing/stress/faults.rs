//! What befalls the workers of a run, on purpose: at random moments from the seed, counted, and over before the next section.

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

/// Something that goes wrong in a worker.
///
/// The file faults befall all files of the lock path, and happen under the lock as the holder's last act: what a stranger takes away
/// from a holder in the midst of its section, no lock on a file survives.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fault {
    /// The process is killed in the section; another goes on in its place.
    Kill,
    /// The process is stopped in the section, and continued some milliseconds later.
    Pause,
    /// The body panics in the section.
    Panic,
    /// The process forks in the section; the child stays for some milliseconds.
    Fork,
    /// Signals interrupt the next acquire: bursts of one every 120 µs, and pauses that grow, so that every sleep comes to an end.
    SignalStorm,
    /// The lock files are unlinked.
    Unlink,
    /// The lock files are renamed.
    Rename,
    /// The lock files are replaced by new ones.
    Replace,
    /// The lock path is removed with all that is in it.
    RemoveDirectory,
    /// The process has no descriptor left for the next acquire, which may fail.
    DescriptorLimit,
    /// The disk is full, and the lock files are gone: the next acquires may fail. Tried only on a disk of 16 MiB or 10,000 files at most.
    DiskFull,
}

impl Fault {
    /// All of them.
    pub const ALL: [Fault; 11] = [
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

    /// When in the course of a section it happens.
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

/// When a fault happens.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Moment {
    /// Before the body asks for the lock.
    Before,
    /// In the section.
    Inside,
    /// When the section is over, and the lock still held.
    After,
}

/// Which faults, and how often.
#[derive(Clone, Debug, Default)]
pub(super) struct Faults {
    pub(super) kinds: Vec<Fault>,
    pub(super) once_in: u64,
}

/// How long a child that was forked in a section keeps its copies.
const CHILD_STAYS: Duration = Duration::from_millis(3);
/// Stops this process; whoever waits for it continues it.
pub(super) fn pause() {
    let _ = raise(Signal::SIGSTOP);
}

/// Forks a child that nobody waits for and that leaves by itself.
pub(super) fn fork_a_child() {
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

/// Interrupts the threads of this process, until the value is dropped.
///
/// A storm must leave the interrupted room. A sleep that is interrupted goes on for the rest of its time *and* the timer slack of the thread (50 µs
/// unless changed: `PR_SET_TIMERSLACK`, prctl(2)), so under a signal every 30 µs no sleep ever ends, and a correct lock that asks again every
/// millisecond never does. So signals come in bursts, [`INTERVAL`] apart, and between two bursts is a pause, each twice as long as the one
/// before: whoever sleeps, or begins its sleep anew, for less than [`LONGEST_PAUSE`] comes to its end.
#[derive(Debug)]
pub(crate) struct SignalStorm(());

/// Between two signals of a burst.
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
            panic!("no handler for the signals of a storm: {error}");
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
    // Fails if the storm has ended meanwhile, on another thread.
    let _ = PAUSE.compare_exchange(pause, next, Ordering::Relaxed, Ordering::Relaxed);
    next_signal(pause);
}

/// One signal after so many microseconds; none after 0. Errno is left as it was: the interrupted code may be about to read it.
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
    // SAFETY: errno is this thread's own; the timer's value is read, and no old value asked for.
    unsafe {
        let errno = libc::__errno_location();
        let before = *errno;
        libc::setitimer(libc::ITIMER_REAL, &once, std::ptr::null_mut());
        *errno = before;
    }
}

/// No further descriptor can be opened until the value is dropped.
#[derive(Debug)]
pub(super) struct NoDescriptors {
    before: (u64, u64),
}

impl NoDescriptors {
    pub(super) fn now() -> io::Result<Self> {
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

/// Does to the files in `directory` what `fault` says.
pub(super) fn take_away(fault: Fault, directory: &Path, number: u64) -> io::Result<()> {
    if fault == Fault::RemoveDirectory {
        return fs::remove_dir_all(directory);
    }
    for entry in fs::read_dir(directory)? {
        let path = entry?.path();
        let name = path.file_name().unwrap_or_default().to_string_lossy();
        if name.starts_with(AWAY) || name.starts_with(FILLER) || !path.is_file() {
            continue;
        }
        // A name for each fault: what was renamed away must not come back as a replacement.
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

/// A disk that is full until the value is dropped.
#[derive(Debug)]
pub(super) struct FullDisk {
    fillers: Vec<std::path::PathBuf>,
}

impl FullDisk {
    /// Fills the disk of `directory`, if it is a small one.
    pub(super) fn now(directory: &Path) -> io::Result<Self> {
        let disk = statvfs(directory)?;
        let few_files = disk.files() > 0 && disk.files() <= SMALL_FILES;
        if disk.blocks() * disk.fragment_size() > SMALL_BYTES && !few_files {
            return Err(io::ErrorKind::Unsupported.into());
        }
        take_away(Fault::Unlink, directory, 0)?;
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
