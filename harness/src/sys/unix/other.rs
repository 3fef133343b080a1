//! macOS and FreeBSD: the same by other means.

use std::ffi::CStr;
use std::fs::File;
use std::io;
use std::time::Duration;

use nix::fcntl::{FcntlArg, FdFlag, fcntl};
use nix::unistd::{Pid, getppid};

/// A file without a name, which programs executed by this process inherit.
pub(crate) fn inheritable_file(_name: &CStr) -> io::Result<File> {
    let file = tempfile::tempfile()?;
    fcntl(&file, FcntlArg::F_SETFD(FdFlag::empty()))?;
    Ok(file)
}

/// Nothing ends a program together with its parent here: a worker leaves at the end of its input.
/// Async-signal-safe.
pub(crate) fn end_with_parent() -> io::Result<()> {
    Ok(())
}

/// Interval at which a forked process checks whether its parent has ended.
const LOOKS: Duration = Duration::from_millis(100);

/// Ends this process soon after its parent, by a thread that looks. For a process that was forked
/// and executes nothing.
pub(crate) fn end_fork_with(parent: Pid) -> io::Result<()> {
    std::thread::Builder::new().spawn(move || {
        while getppid() == parent {
            std::thread::sleep(LOOKS);
        }
        // SAFETY: only ends this process.
        unsafe { libc::_exit(1) }
    })?;
    Ok(())
}

#[cfg(feature = "stress")]
mod trials {
    use std::io;
    use std::os::fd::OwnedFd;
    use std::process::Child;
    use std::time::Duration;

    use nix::errno::Errno;
    use nix::poll::{PollFd, PollTimeout};
    use nix::sys::event::{EvFlags, EventFilter, FilterFlag, KEvent, Kqueue};

    /// A descriptor that is readable when the process has ended (kqueue(2)).
    pub(crate) fn end_of(child: &Child) -> io::Result<OwnedFd> {
        let queue = Kqueue::new()?;
        let end = KEvent::new(
            child.id() as usize,
            EventFilter::EVFILT_PROC,
            EvFlags::EV_ADD,
            FilterFlag::NOTE_EXIT,
            0,
            0,
        );
        match queue.kevent(&[end], &mut [], None) {
            Ok(_) => Ok(queue.into()),
            // It has ended already. The end of a pipe without a writer is readable at once.
            Err(Errno::ESRCH) => Ok(io::pipe()?.0.into()),
            Err(error) => Err(error.into()),
        }
    }

    /// A descriptor that becomes readable after this time: a pipe whose writer a thread drops.
    pub(crate) fn limit(time: Duration) -> io::Result<OwnedFd> {
        let (reader, writer) = io::pipe()?;
        std::thread::Builder::new().spawn(move || {
            std::thread::sleep(time);
            drop(writer);
        })?;
        Ok(reader.into())
    }

    /// Orphans of descendants go to the first process of the system.
    pub(crate) fn adopt_orphans() {}

    /// Waits for one of the descriptors, to the millisecond, never shorter than this time.
    pub(crate) fn poll(fds: &mut [PollFd<'_>], timeout: Duration) {
        let milliseconds = timeout.as_nanos().div_ceil(1_000_000);
        let timeout = PollTimeout::try_from(milliseconds).unwrap_or(PollTimeout::MAX);
        let _ = nix::poll::poll(fds, timeout);
    }

    /// There are none; see [`adopt_orphans`].
    pub(crate) fn reap_orphans(_spared: &[u32]) {}
}
#[cfg(feature = "stress")]
pub(crate) use trials::{adopt_orphans, end_of, limit, poll, reap_orphans};
