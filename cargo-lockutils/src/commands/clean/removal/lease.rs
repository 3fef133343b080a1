//! A write lease on a file. The kernel grants it only if no other descriptor is open on the file,
//! in any process, and then blocks every open until the lease is returned (fcntl(2), "Leases").

use std::fs::File;
use std::io;
use std::os::fd::AsRawFd;

use nix::errno::Errno;
use nix::libc;

/// Selects the signal that reports a blocked open (linux/fcntl.h); missing in libc.
const F_SETSIG: libc::c_int = 10;

/// A lease on the file, returned on drop. The kernel breaks it 45 s after a blocked open.
pub struct Lease<'a>(&'a File);

impl<'a> Lease<'a> {
    /// Takes a lease; returns `None` if another descriptor is open on the file.
    ///
    /// # Errors
    /// Returns an error if the file system has no leases, or if the file belongs to another user
    /// and this process is not root.
    pub fn take(file: &'a File) -> io::Result<Option<Self>> {
        // The kernel signals a blocked open: SIGIO, the default, would end this process; SIGURG is
        // ignored.
        fcntl(file, F_SETSIG, libc::SIGURG)?;
        match fcntl(file, libc::F_SETLEASE, libc::F_WRLCK) {
            Ok(_) => Ok(Some(Lease(file))),
            Err(Errno::EAGAIN) => Ok(None),
            Err(error) => Err(error.into()),
        }
    }

    /// Returns `true` if another process is blocked in opening the file.
    pub fn is_in_the_way(&self) -> bool {
        fcntl(self.0, libc::F_GETLEASE, 0) != Ok(libc::F_WRLCK)
    }
}

impl Drop for Lease<'_> {
    fn drop(&mut self) {
        // Fails only if the kernel has already broken the lease.
        let _ = fcntl(self.0, libc::F_SETLEASE, libc::F_UNLCK);
    }
}

fn fcntl(file: &File, command: libc::c_int, argument: libc::c_int) -> Result<libc::c_int, Errno> {
    // SAFETY: the descriptor is open, and these commands take a number and touch no memory.
    Errno::result(unsafe { libc::fcntl(file.as_raw_fd(), command, argument) })
}

#[cfg(test)]
pub mod tests {
    use super::*;
    use std::time::{Duration, Instant};

    /// Takes a lease as soon as no child of a concurrent test has a copy of a descriptor any more.
    pub fn take_in_the_end(file: &File) -> Lease<'_> {
        let deadline = Instant::now() + Duration::from_secs(60);
        loop {
            if let Some(lease) = Lease::take(file).unwrap() {
                return lease;
            }
            assert!(Instant::now() < deadline, "another process has it open");
            std::thread::yield_now();
        }
    }

    #[test]
    fn a_lease_is_had_only_alone() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("x");
        let file = File::create(&path).unwrap();
        let other = File::open(&path).unwrap();
        assert!(Lease::take(&file).unwrap().is_none());
        drop(other);
        let lease = take_in_the_end(&file);
        assert!(!lease.is_in_the_way());
        std::thread::scope(|scope| {
            let opens = scope.spawn(|| File::open(&path).map(drop));
            while !lease.is_in_the_way() {
                std::thread::yield_now();
            }
            assert!(!opens.is_finished());
            drop(lease);
            opens.join().unwrap().unwrap();
        });
    }
}
