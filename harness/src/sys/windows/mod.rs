//! Windows: spawned processes, files for shared memory, and jobs that end with this process.

mod faults;
mod job;
#[cfg(feature = "stress")]
pub(crate) mod program;
mod session;

use std::io;
use std::path::Path;
use std::time::Duration;

use windows_sys::Win32::Foundation::CloseHandle;
use windows_sys::Win32::System::Performance::{QueryPerformanceCounter, QueryPerformanceFrequency};
use windows_sys::Win32::System::Threading::{
    GetCurrentProcess, OpenProcess, PROCESS_TERMINATE, TerminateProcess,
};

use super::missing::{Means, lacks};
use super::types::{DiskSize, Side};

pub(crate) use faults::{Descriptors, SignalStorm};
pub(crate) use job::Job;
pub(super) use session::agree;
pub(crate) use session::{Inherited, SharedFile, directory, inherited};

/// The exit status of a process that was killed: no program ends with it by itself.
pub(crate) const KILLED: u32 = 0x4c4b_0009;

pub(super) fn monotonic_nanoseconds() -> u64 {
    let (mut ticks, mut frequency) = (0, 0);
    // SAFETY: both write one number to a variable of this function. They cannot fail since
    // Windows XP.
    unsafe {
        QueryPerformanceCounter(&mut ticks);
        QueryPerformanceFrequency(&mut frequency);
    }
    let (ticks, frequency) = (ticks.max(0) as u128, frequency.max(1) as u128);
    (ticks * 1_000_000_000 / frequency) as u64
}

pub(super) fn forks() -> u64 {
    0
}

pub(super) fn kill_this_process() -> ! {
    // SAFETY: the pseudo handle of this process is always valid.
    unsafe { TerminateProcess(GetCurrentProcess(), KILLED) };
    // The call returns before this thread is ended.
    loop {
        std::thread::sleep(Duration::from_secs(1));
    }
}

pub(super) fn kill(process: u32) {
    // SAFETY: the handle is checked, used and closed here only.
    unsafe {
        let handle = OpenProcess(PROCESS_TERMINATE, 0, process);
        if !handle.is_null() {
            TerminateProcess(handle, KILLED);
            CloseHandle(handle);
        }
    }
}

/// Not available: the callers ask [`lacks`] first.
pub(super) fn pause_this_process() {}

/// Not available: the callers ask [`lacks`] first.
pub(super) fn fork_orphan(_stays: Duration) {}

pub(super) unsafe fn fork_and_wait() -> io::Result<Side> {
    Err(missing(Means::Fork))
}

/// The error of a means that Windows lacks.
fn missing(means: Means) -> io::Error {
    lacks(means).map_or_else(|| io::ErrorKind::Unsupported.into(), io::Error::from)
}

pub(super) fn exit_now(status: i32) -> ! {
    // SAFETY: as in `kill_this_process`.
    unsafe { TerminateProcess(GetCurrentProcess(), status.cast_unsigned()) };
    loop {
        std::thread::sleep(Duration::from_secs(1));
    }
}

#[cfg(feature = "explore")]
pub(super) fn write_to_standard_output(bytes: &[u8]) -> io::Result<()> {
    use std::io::Write;

    let mut output = io::stdout().lock();
    output.write_all(bytes)?;
    output.flush()
}

/// There are no signals.
pub(crate) fn describe_signal(_number: i32) -> Option<String> {
    None
}

pub(super) fn disk_size(_path: &Path) -> io::Result<DiskSize> {
    Err(missing(Means::SmallDisks))
}
