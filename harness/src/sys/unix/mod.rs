//! POSIX systems. [`linux`] and [`other`] have what differs between them.

mod faults;
#[cfg(target_os = "linux")]
mod linux;
#[cfg(not(target_os = "linux"))]
mod other;
#[cfg(feature = "stress")]
pub(crate) mod program;

use std::fs::File;
use std::io;
use std::mem::ManuallyDrop;
use std::os::fd::{AsRawFd, FromRawFd, RawFd};
use std::path::{Path, PathBuf};
use std::sync::Once;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use nix::sys::signal::{Signal, raise};
use nix::sys::wait::waitpid;
use nix::time::{ClockId, clock_gettime};
use nix::unistd::{ForkResult, Pid, fork};

#[cfg(target_os = "linux")]
use linux as system;
#[cfg(not(target_os = "linux"))]
use other as system;

use super::types::{DiskSize, Side};

pub(crate) use faults::{Descriptors, SignalStorm};
pub(crate) use system::{end_fork_with, end_with_parent, inheritable_file};
#[cfg(feature = "stress")]
pub(crate) use system::{end_of, limit};

pub(super) fn monotonic_nanoseconds() -> u64 {
    clock_gettime(ClockId::CLOCK_MONOTONIC).map_or(0, |time| {
        time.tv_sec() as u64 * 1_000_000_000 + time.tv_nsec() as u64
    })
}

/// The descriptor, which programs executed by this one inherit.
pub(crate) type SharedHandle = RawFd;

/// A file without a name.
#[derive(Debug)]
pub(crate) struct SharedFile(File);

impl SharedFile {
    pub(super) fn create_empty() -> io::Result<Self> {
        inheritable_file(c"lockutils-shared").map(SharedFile)
    }

    pub(super) fn file(&self) -> &File {
        &self.0
    }

    /// The file behind a descriptor that the parent left open for this process alone.
    pub(crate) fn open(handle: SharedHandle) -> io::Result<Self> {
        // SAFETY: the parent left this descriptor open for this process, and nothing else uses it.
        Ok(SharedFile(unsafe { File::from_raw_fd(handle) }))
    }

    /// The same file once more.
    pub(crate) fn try_clone(&self) -> io::Result<Self> {
        self.0.try_clone().map(SharedFile)
    }

    /// The descriptor.
    pub(crate) fn handle(&self) -> SharedHandle {
        self.0.as_raw_fd()
    }

    /// Leaves the file open for programs executed later.
    pub(crate) fn keep_open(self) {
        let _ = ManuallyDrop::new(self.0);
    }
}

pub(super) fn agree(path: &Path) -> io::Result<PathBuf> {
    Ok(path.to_owned())
}

pub(super) fn forks() -> u64 {
    static FORKS: AtomicU64 = AtomicU64::new(0);
    static INSTALLED: Once = Once::new();
    extern "C" fn in_child() {
        FORKS.fetch_add(1, Ordering::Relaxed);
    }
    // SAFETY: the handler only adds to an atomic.
    INSTALLED.call_once(|| unsafe {
        libc::pthread_atfork(None, None, Some(in_child));
    });
    FORKS.load(Ordering::Relaxed)
}

pub(super) fn kill_this_process() -> ! {
    let _ = raise(Signal::SIGKILL);
    unreachable!("SIGKILL cannot be survived")
}

pub(super) fn kill(process: u32) {
    let _ = nix::sys::signal::kill(Pid::from_raw(process.cast_signed()), Signal::SIGKILL);
}

pub(super) fn pause_this_process() {
    let _ = raise(Signal::SIGSTOP);
}

pub(super) fn fork_orphan(stays: Duration) {
    // SAFETY: both children call nothing but fork, nanosleep and _exit.
    match unsafe { fork() } {
        Ok(ForkResult::Parent { child }) => drop(waitpid(child, None)),
        Ok(ForkResult::Child) => {
            // SAFETY: as above.
            if let Ok(ForkResult::Child) = unsafe { fork() } {
                std::thread::sleep(stays);
            }
            exit_now(0)
        }
        Err(_) => {}
    }
}

pub(super) unsafe fn fork_and_wait() -> io::Result<Side> {
    // SAFETY: the caller's promise.
    match unsafe { fork() }? {
        ForkResult::Child => Ok(Side::Child),
        ForkResult::Parent { child } => {
            waitpid(child, None)?;
            Ok(Side::Parent)
        }
    }
}

pub(super) fn exit_now(status: i32) -> ! {
    // SAFETY: only ends this process.
    unsafe { libc::_exit(status) }
}

#[cfg(feature = "explore")]
pub(super) fn write_to_standard_output(bytes: &[u8]) -> io::Result<()> {
    nix::unistd::write(io::stdout(), bytes)?;
    Ok(())
}

/// The name of a signal that ended a process, such as `SIGKILL`, for `was killed by …`.
pub(crate) fn describe_signal(number: i32) -> Option<String> {
    Some(match Signal::try_from(number) {
        Ok(signal) => signal.to_string(),
        Err(_) => format!("signal {number}"),
    })
}

// The types of these fields differ between systems.
#[allow(clippy::unnecessary_cast)]
pub(super) fn disk_size(path: &Path) -> io::Result<DiskSize> {
    let disk = nix::sys::statvfs::statvfs(path)?;
    Ok(DiskSize {
        bytes: disk.blocks() as u64 * disk.fragment_size() as u64,
        files: disk.files() as u64,
    })
}
