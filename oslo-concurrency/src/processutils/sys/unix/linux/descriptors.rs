//! Descriptors that a child does not inherit. Only async-signal-safe calls.

use std::os::fd::RawFd;

/// The first descriptor that a child does not inherit.
const FIRST: RawFd = 3;

/// Marks all descriptors except the standard three close-on-exec, including those that other
/// libraries opened without that flag. Closing them now would close the pipe through which
/// `Command` reports a failed exec.
pub(crate) fn inherit_nothing() {
    // SAFETY: the call takes plain numbers and changes only flags of this process's descriptors.
    let done = unsafe {
        libc::syscall(
            libc::SYS_close_range,
            FIRST as libc::c_uint,
            libc::c_uint::MAX,
            libc::CLOSE_RANGE_CLOEXEC,
        )
    };
    if done == 0 {
        return;
    }
    // Linux before 5.11, or a sandbox that rejects the call.
    if !each_open_descriptor(mark_close_on_exec) {
        // Without /proc: every number up to the limit. A descriptor may lie above it only if the
        // limit was lowered after the descriptor was opened.
        let mut limit = libc::rlimit {
            rlim_cur: 0,
            rlim_max: 0,
        };
        // SAFETY: getrlimit fills the structure.
        unsafe { libc::getrlimit(libc::RLIMIT_NOFILE, &mut limit) };
        let end = RawFd::try_from(limit.rlim_cur).unwrap_or(RawFd::MAX);
        (0..end).for_each(mark_close_on_exec);
    }
}

fn mark_close_on_exec(fd: RawFd) {
    if fd >= FIRST {
        // SAFETY: a plain number; the call fails if it is not a descriptor.
        unsafe { libc::fcntl(fd, libc::F_SETFD, libc::FD_CLOEXEC) };
    }
}

/// Calls `with` on each open descriptor, found through /proc without allocating. Returns `false` if
/// /proc cannot be read.
fn each_open_descriptor(with: impl Fn(RawFd)) -> bool {
    /// Offsets of the length and the name in `struct linux_dirent64` (getdents64(2)).
    const LENGTH: usize = 16;
    const NAME: usize = 19;
    let mut entries = Entries([0; 1024]);
    // SAFETY: the path is a C string, and the kernel writes at most the size of the buffer.
    unsafe {
        let flags = libc::O_RDONLY | libc::O_DIRECTORY | libc::O_CLOEXEC;
        let folder = libc::open(c"/proc/self/fd".as_ptr(), flags);
        if folder < 0 {
            return false;
        }
        let complete = loop {
            let buffer = entries.0.as_mut_ptr();
            let read = libc::syscall(libc::SYS_getdents64, folder, buffer, entries.0.len());
            let Ok(read @ 1..) = usize::try_from(read) else {
                break read == 0;
            };
            let mut at = 0;
            while at + NAME < read {
                let name = entries.0[at + NAME..read]
                    .iter()
                    .map_while(|byte| match byte {
                        b'0'..=b'9' => Some(RawFd::from(byte - b'0')),
                        _ => None,
                    });
                // `.` and `..` contain no digits.
                if let Some(fd) = name.fold(None, |fd: Option<RawFd>, digit| {
                    Some(fd.unwrap_or(0).saturating_mul(10).saturating_add(digit))
                }) {
                    with(fd);
                }
                at += usize::from(u16::from_ne_bytes([
                    entries.0[at + LENGTH],
                    entries.0[at + LENGTH + 1],
                ]));
            }
        };
        libc::close(folder);
        complete
    }
}

#[repr(C, align(8))]
struct Entries([u8; 1024]);

#[cfg(test)]
mod tests {
    use super::*;
    use std::cell::RefCell;
    use std::os::fd::{AsRawFd, OwnedFd};

    #[test]
    fn descriptors_are_found_however_many_there_are() {
        let files: Vec<OwnedFd> = (0..200)
            .map(|_| OwnedFd::from(std::fs::File::open("/dev/null").unwrap()))
            .collect();
        let found = RefCell::new(Vec::new());
        assert!(each_open_descriptor(|fd| found.borrow_mut().push(fd)));
        let found = found.into_inner();
        for file in &files {
            assert_eq!(
                found.iter().filter(|fd| **fd == file.as_raw_fd()).count(),
                1
            );
        }
    }
}
