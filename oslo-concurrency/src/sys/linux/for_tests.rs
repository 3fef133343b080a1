//! Facilities beyond the seam that tests need.

use std::fs::{self, File};
use std::os::fd::AsRawFd;
use std::path::Path;

/// The number of open files of this process in `directory`.
pub(crate) fn open_files_in(directory: &Path) -> usize {
    let open = fs::read_dir("/proc/self/fd").unwrap();
    open.flatten()
        .filter_map(|fd| fs::read_link(fd.path()).ok())
        .filter(|file| file.starts_with(directory))
        .count()
}

/// A lease on a file. Until it is dropped, others cannot open the file (fcntl(2), "Leases").
#[derive(Debug)]
pub(crate) struct Lease(File);

impl Lease {
    /// Creates the file at `path` and takes a lease on it.
    pub(crate) fn on_new_file(path: &Path) -> Self {
        const F_SETSIG: libc::c_int = 10; // linux/fcntl.h
        let lease = Lease(File::create(path).unwrap());
        // Not SIGIO, the default, which would end the tests: SIGURG does nothing.
        assert_eq!(lease.fcntl(F_SETSIG, libc::SIGURG), 0);
        assert_eq!(lease.fcntl(libc::F_SETLEASE, libc::F_WRLCK), 0);
        lease
    }

    fn fcntl(&self, command: libc::c_int, argument: libc::c_int) -> libc::c_int {
        // SAFETY: the descriptor is open, and these commands take a number and touch no memory.
        unsafe { libc::fcntl(self.0.as_raw_fd(), command, argument) }
    }
}

impl Drop for Lease {
    fn drop(&mut self) {
        assert_eq!(self.fcntl(libc::F_SETLEASE, libc::F_UNLCK), 0);
    }
}
