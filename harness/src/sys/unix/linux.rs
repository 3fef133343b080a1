//! Facilities of Linux that other POSIX systems lack.

use std::ffi::CStr;
use std::fs::File;
use std::io;

use nix::sys::memfd::{MFdFlags, memfd_create};
use nix::sys::signal::Signal;
use nix::unistd::Pid;

/// A file in memory, which programs executed by this process inherit.
pub(crate) fn inheritable_file(name: &CStr) -> io::Result<File> {
    Ok(File::from(memfd_create(name, MFdFlags::empty())?))
}

/// Kills this process as soon as the thread that started it ends. Async-signal-safe.
pub(crate) fn end_with_parent() -> io::Result<()> {
    Ok(nix::sys::prctl::set_pdeathsig(Signal::SIGKILL)?)
}

/// Like [`end_with_parent`], for a process that was forked and executes no program.
pub(crate) fn end_fork_with(_parent: Pid) -> io::Result<()> {
    end_with_parent()
}

#[cfg(feature = "stress")]
mod trials {
    use std::io;
    use std::os::fd::OwnedFd;
    use std::process::Child;
    use std::time::Duration;

    use nix::sys::time::TimeSpec;
    use nix::sys::timerfd::{ClockId, Expiration, TimerFd, TimerFlags, TimerSetTimeFlags};
    use rustix::process::{PidfdFlags, pidfd_open};

    /// A descriptor that is readable when the process has ended (pidfd_open(2), Linux 5.3).
    pub(crate) fn end_of(child: &Child) -> io::Result<OwnedFd> {
        Ok(pidfd_open(
            rustix::process::Pid::from_child(child),
            PidfdFlags::empty(),
        )?)
    }

    /// A descriptor that becomes readable after this time.
    pub(crate) fn limit(time: Duration) -> io::Result<OwnedFd> {
        let timer = TimerFd::new(ClockId::CLOCK_MONOTONIC, TimerFlags::TFD_CLOEXEC)?;
        let once = Expiration::OneShot(TimeSpec::from_duration(time));
        timer.set(once, TimerSetTimeFlags::empty())?;
        Ok(timer.into())
    }

    /// Makes orphans of descendants children of this process (prctl(2), Linux 3.4).
    pub(crate) fn adopt_orphans() {
        let _ = nix::sys::prctl::set_child_subreaper(true);
    }

    /// Waits for one of the descriptors, to the nanosecond.
    pub(crate) fn poll(fds: &mut [nix::poll::PollFd<'_>], timeout: Duration) {
        // An interruption is no error: the callers check everything again.
        let _ = nix::poll::ppoll(fds, Some(TimeSpec::from_duration(timeout)), None);
    }

    /// Reaps ended children of this process, except these.
    pub(crate) fn reap_orphans(spared: &[u32]) {
        use nix::sys::wait::{Id, WaitPidFlag, waitid, waitpid};

        let ended = WaitPidFlag::WEXITED | WaitPidFlag::WNOHANG | WaitPidFlag::WNOWAIT;
        while let Ok(status) = waitid(Id::All, ended)
            && let Some(pid) = status.pid()
            && !spared.contains(&pid.as_raw().cast_unsigned())
            && waitpid(pid, Some(WaitPidFlag::WNOHANG)).is_ok()
        {}
    }
}
#[cfg(feature = "stress")]
pub(crate) use trials::{adopt_orphans, end_of, limit, poll, reap_orphans};
