//! The system call in which a thread sleeps (proc_pid_syscall(5)).

use nix::libc;

use crate::model::{FileLock, LockKind, LockMode};

/// A system call that has not returned yet.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SystemCall {
    /// Its number on this processor; -1 for a thread that is blocked outside any call.
    pub number: i64,
    /// Its arguments.
    pub arguments: Vec<u64>,
}

impl SystemCall {
    /// The contents of the file: `NUMBER ARGUMENTS…`, the arguments in hexadecimal.
    pub fn parse(text: &str) -> Option<Self> {
        let mut words = text.split_whitespace();
        let number = words.next()?.parse().ok()?;
        let argument = |word: &str| u64::from_str_radix(word.strip_prefix("0x")?, 16).ok();
        Some(SystemCall {
            number,
            arguments: words.map_while(argument).collect(),
        })
    }

    /// The descriptor and the lock for which the call waits, if it waits for a file lock.
    ///
    /// For fcntl(2) the mode is always exclusive here: the real one is in the memory of the thread,
    /// and in `/proc/locks`.
    pub fn lock_wait(&self) -> Option<(i32, FileLock)> {
        let &[first, second, ..] = &self.arguments[..] else {
            return None;
        };
        let kind = match (self.number, second as i32) {
            (libc::SYS_fcntl, libc::F_OFD_SETLKW) => LockKind::Ofd,
            (libc::SYS_fcntl, libc::F_SETLKW) => LockKind::Posix,
            (libc::SYS_flock, _) => LockKind::Flock,
            _ => return None,
        };
        let mode = match (kind, second as i32 & libc::LOCK_SH) {
            (LockKind::Flock, libc::LOCK_SH) => LockMode::Shared,
            _ => LockMode::Exclusive,
        };
        Some((first as i32, FileLock { kind, mode }))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_call_that_waits_for_a_lock_names_its_descriptor() {
        let text = format!("{} 0x3 0x1 0x0 0x0", libc::SYS_flock);
        let (fd, lock) = SystemCall::parse(&text).unwrap().lock_wait().unwrap();
        assert_eq!((fd, lock.to_string().as_str()), (3, "flock shared"));
        let text = format!("{} 0x4 {:#x} 0x0", libc::SYS_fcntl, libc::F_OFD_SETLKW);
        let (fd, lock) = SystemCall::parse(&text).unwrap().lock_wait().unwrap();
        assert_eq!((fd, lock.to_string().as_str()), (4, "OFD exclusive"));
        let text = format!("{} 0x3 0x1", libc::SYS_read);
        assert_eq!(SystemCall::parse(&text).unwrap().lock_wait(), None);
        assert_eq!(SystemCall::parse("running"), None);
    }
}
