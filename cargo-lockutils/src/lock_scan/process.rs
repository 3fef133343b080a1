//! The use of the lock files below a directory by one process.

use std::io;
use std::time::Duration;

use lockutils_harness::procfs::{self, FileId, FileLock};
use nix::unistd::Pid;

use super::files::Files;

/// A process, as far as it can be seen.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Process {
    pub pid: i32,
    pub command: String,
    /// Time since the process was started. The kernel does not record when a lock was taken.
    pub age: Option<Duration>,
}

impl Process {
    pub fn of(pid: i32) -> Self {
        let process = Pid::from_raw(pid);
        Process {
            pid,
            command: procfs::command_line(process),
            age: procfs::age(process),
        }
    }
}

/// A descriptor that is open on one of the files.
#[derive(Debug)]
pub struct Descriptor {
    pub file: FileId,
    /// The device of the file as the kernel numbers it in lists of locks.
    pub kernel_device: Option<u64>,
    pub held: Vec<FileLock>,
    /// The lock for which a thread sleeps in a system call on this descriptor.
    pub waits: Option<FileLock>,
}

/// The descriptors of `pid` that are open on `files`; `None` if they may not be seen.
pub fn descriptors(pid: Pid, files: &Files) -> Option<Vec<Descriptor>> {
    let infos = match procfs::descriptor_infos(pid) {
        Ok(infos) => infos,
        Err(error) if error.kind() == io::ErrorKind::PermissionDenied => return None,
        Err(_) => return Some(Vec::new()), // it has ended
    };
    let mut found = Vec::new();
    for (fd, info) in infos {
        // Access to a file may hang (on a dead server), so the inode is compared first.
        if info.inode.is_some_and(|inode| !files.has_inode(inode)) {
            continue;
        }
        let Ok(metadata) = procfs::descriptor_metadata(pid, fd) else {
            continue;
        };
        let file = FileId::of(&metadata);
        if !files.contains(file) {
            continue;
        }
        found.push(Descriptor {
            file,
            kernel_device: info.locks.first().map(|line| line.file.device),
            held: info.locks.iter().map(|line| line.lock).collect(),
            waits: waits_through(pid, fd),
        });
    }
    Some(found)
}

fn waits_through(pid: Pid, fd: i32) -> Option<FileLock> {
    procfs::threads(pid)
        .ok()?
        .filter_map(|thread| thread.system_call()?.lock_wait())
        .find_map(|(waited_on, lock)| (waited_on == fd).then_some(lock))
}
