//! A write lease on a file: the kernel grants it only if nobody else has the file open, whoever's process that would be, and lets whoever
//! opens it afterwards wait until the lease is given back (fcntl(2), "Leases").

use std::fs::File;
use std::io;
use std::os::fd::AsRawFd;

use nix::errno::Errno;
use nix::libc;

/// Which signal tells that somebody wants the file (linux/fcntl.h); not in libc.
const F_SETSIG: libc::c_int = 10;

/// A lease on the file, until this is dropped; if we are stopped meanwhile, the kernel takes it away after 45 s.
pub struct Lease<'a>(&'a File);

impl<'a> Lease<'a> {
    /// `None` if somebody else has the file open.
    ///
    /// # Errors
    /// If the file system has no leases, or the file is another user's and we are not root.
    pub fn take(file: &'a File) -> io::Result<Option<Self>> {
        // Whoever wants the file makes the kernel signal us; SIGIO, the default, would end us, and SIGURG does nothing.
        fcntl(file, F_SETSIG, libc::SIGURG)?;
        match fcntl(file, libc::F_SETLEASE, libc::F_WRLCK) {
            Ok(_) => Ok(Some(Lease(file))),
            Err(Errno::EAGAIN) => Ok(None),
            Err(error) => Err(error.into()),
        }
    }

    /// Whether somebody is about to open the file, and waits for us.
    pub fn is_in_the_way(&self) -> bool {
        fcntl(self.0, libc::F_GETLEASE, 0) != Ok(libc::F_WRLCK)
    }
}

impl Drop for Lease<'_> {
    fn drop(&mut self) {
        // It can only fail if the kernel has taken the lease already.
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

    /// A lease, as soon as no child that another test is just starting has its copy of a descriptor any more.
    pub fn take_in_the_end(file: &File) -> Lease<'_> {
        let deadline = Instant::now() + Duration::from_secs(60);
        loop {
            if let Some(lease) = Lease::take(file).unwrap() {
                return lease;
            }
            assert!(Instant::now() < deadline, "somebody has it open");
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
