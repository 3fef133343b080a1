//! Users of lock files on Linux, by /proc.
//!
//! Holders are found through the descriptors of processes, since `/proc/locks` names no process for
//! open-file-description locks. `/proc/locks` then adds the locks of processes whose descriptors
//! may not be inspected. The result is not an exact snapshot: locks come and go while it is taken.

use std::collections::{HashMap, HashSet};
use std::io;
use std::path::{Path, PathBuf};

use lockutils_harness::model::FileLock;
use lockutils_harness::procfs::{self, FileId, LockLine, read_locks};
use nix::unistd::Pid;

use super::files::Files;
use super::users::{Found, Openers, Process, Role, User};

/// Nothing is missing but the users among hidden processes.
pub const LIMITS: Option<&str> = None;

pub const TELLS_HOLDERS: bool = true;

/// Finds the users of the files below `_directory`.
pub fn find(_directory: &Path, files: &Files) -> Found {
    let index = Index::of(files);
    let mut seen = Seen::default();
    if !index.paths.is_empty() {
        seen.look_into_processes(&index);
        seen.look_at_kernel(&index, &read_locks(|inode| index.has_inode(inode)));
    }
    let users = seen.users.into_iter().filter_map(|(file, users)| {
        let path = index.paths.get(&file)?;
        Some((path.clone(), users))
    });
    Found {
        users: users.collect(),
        hidden: seen.hidden,
    }
}

/// The processes that have the file open.
pub fn openers(path: &Path) -> Openers {
    let index = Index::of(&super::files::below(path));
    let mut seen = Seen::default();
    seen.look_into_processes(&index);
    let processes = seen.users.into_values().flatten();
    let mut processes: Vec<Process> = processes.filter_map(|user| user.process).collect();
    processes.sort();
    processes.dedup_by_key(|process| process.pid);
    Openers {
        processes,
        doubt: (seen.hidden > 0).then(|| hidden(seen.hidden)),
    }
}

/// A process that uses the directory of a run: has a file in it open, or was started with it.
pub fn user_of_directory(directory: &Path) -> Option<Process> {
    let user = procfs::with_files_in(directory).into_iter().next()?;
    Some(process(user.as_raw()))
}

/// The note about processes that could not be inspected, with a remedy.
pub fn hidden(processes: usize) -> String {
    let (count, them) = match processes {
        1 => ("1 process".to_owned(), "it"),
        n => (format!("{n} processes"), "them"),
    };
    if nix::unistd::geteuid().is_root() {
        format!("{count} could not be inspected even as root; a container may forbid it")
    } else {
        format!("{count} of other users could not be inspected; run as root to see {them}")
    }
}

fn process(pid: i32) -> Process {
    let process = Pid::from_raw(pid);
    Process {
        pid,
        command: procfs::command_line(process),
        age: procfs::age(process),
    }
}

/// The files by what the kernel calls them.
struct Index {
    paths: HashMap<FileId, PathBuf>,
    inodes: HashSet<u64>,
}

impl Index {
    fn of(files: &Files) -> Self {
        let paths: HashMap<FileId, PathBuf> = files
            .iter()
            .map(|(path, metadata)| (FileId::of(metadata), path.to_owned()))
            .collect();
        Index {
            inodes: paths.keys().map(|file| file.inode).collect(),
            paths,
        }
    }

    /// Returns `true` if one of the files has this inode, on any device.
    fn has_inode(&self, inode: u64) -> bool {
        self.inodes.contains(&inode)
    }
}

#[derive(Default)]
struct Seen {
    users: HashMap<FileId, Vec<User>>,
    /// The device of a file as lists of locks have it, known for files with a lock.
    kernel_devices: HashMap<FileId, u64>,
    hidden: usize,
}

impl Seen {
    fn look_into_processes(&mut self, index: &Index) {
        for pid in procfs::all() {
            let Some(descriptors) = descriptors(pid, index) else {
                self.hidden += 1;
                continue;
            };
            if descriptors.is_empty() {
                continue;
            }
            let process = process(pid.as_raw());
            for descriptor in descriptors {
                if let Some(device) = descriptor.kernel_device {
                    self.kernel_devices.insert(descriptor.file, device);
                }
                let held = descriptor.held.into_iter().map(Role::Holds);
                let mut roles: Vec<Role> = held.collect();
                roles.extend(descriptor.waits.map(Role::Waits));
                if roles.is_empty() {
                    roles.push(Role::HasOpen);
                }
                let users = self.users.entry(descriptor.file).or_default();
                users.extend(roles.into_iter().map(|role| User {
                    role,
                    process: Some(process.clone()),
                }));
            }
        }
    }

    fn look_at_kernel(&mut self, index: &Index, locks: &[LockLine]) {
        for &file in index.paths.keys() {
            let device = self.kernel_devices.get(&file).copied();
            let in_kernel = FileId {
                device: device.unwrap_or(file.device),
                inode: file.inode,
            };
            let lines = locks.iter().filter(|line| line.file == in_kernel);
            let (waiting, held): (Vec<_>, Vec<_>) = lines.partition(|line| line.waits);
            if held.is_empty() && waiting.is_empty() {
                continue;
            }
            let users = self.users.entry(file).or_default();
            add_holders(users, &held);
            add_waiters(users, &waiting);
        }
    }
}

/// Adds the locks that no examined process holds.
fn add_holders(users: &mut Vec<User>, held: &[&LockLine]) {
    for line in held {
        let role = Role::Holds(line.lock);
        if !users.iter().any(|user| user.role == role) {
            users.push(User {
                role,
                process: line.pid.map(process),
            });
        }
    }
}

/// Sets the mode of waiters to the one that the kernel reports, and adds waiters that were not
/// found in processes.
fn add_waiters(users: &mut Vec<User>, waiting: &[&LockLine]) {
    let mut claimed = vec![false; users.len()];
    for line in waiting {
        let seen = users.iter().zip(&claimed).position(|(user, claimed)| {
            let pid = user.process.as_ref().map(|process| process.pid);
            let waits = matches!(user.role, Role::Waits(lock) if lock.kind == line.lock.kind);
            // The system call of a waiter may be invisible; then only its process identifies it.
            let is_polite = user.role == Role::HasOpen && line.pid.is_some();
            !claimed && (waits || is_polite) && (line.pid.is_none() || line.pid == pid)
        });
        match seen {
            Some(at) => {
                users[at].role = Role::Waits(line.lock);
                claimed[at] = true;
            }
            None => {
                users.push(User {
                    role: Role::Waits(line.lock),
                    process: line.pid.map(process),
                });
                claimed.push(true);
            }
        }
    }
}

/// A descriptor that is open on one of the files.
#[derive(Debug)]
struct Descriptor {
    file: FileId,
    /// The device of the file as the kernel numbers it in lists of locks.
    kernel_device: Option<u64>,
    held: Vec<FileLock>,
    /// The lock for which a thread sleeps in a system call on this descriptor.
    waits: Option<FileLock>,
}

/// The descriptors of `pid` that are open on `files`; `None` if they may not be seen.
fn descriptors(pid: Pid, index: &Index) -> Option<Vec<Descriptor>> {
    let infos = match procfs::descriptor_infos(pid) {
        Ok(infos) => infos,
        Err(error) if error.kind() == io::ErrorKind::PermissionDenied => return None,
        Err(_) => return Some(Vec::new()), // it has ended
    };
    let mut found = Vec::new();
    for (fd, info) in infos {
        // Access to a file may hang (on a dead server), so the inode is compared first.
        if info.inode.is_some_and(|inode| !index.has_inode(inode)) {
            continue;
        }
        let Ok(metadata) = procfs::descriptor_metadata(pid, fd) else {
            continue;
        };
        let file = FileId::of(&metadata);
        if !index.paths.contains_key(&file) {
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

#[cfg(test)]
mod tests {
    use lockutils_harness::model::LockMode;

    use super::super::users::for_tests::{OFD, user};
    use super::*;

    fn line(text: &str) -> LockLine {
        LockLine::parse(text).unwrap()
    }

    #[test]
    fn a_waiter_gets_its_mode_from_the_kernel_and_unseen_ones_are_added() {
        let mut users = vec![user(Role::Holds(OFD), 1), user(Role::Waits(OFD), 2)];
        let waiting = [
            line("1: -> OFDLCK ADVISORY READ -1 fe:01:7 0 EOF"),
            line("1: -> OFDLCK ADVISORY WRITE -1 fe:01:7 0 EOF"),
        ];
        add_waiters(&mut users, &waiting.each_ref());
        let shared = FileLock {
            mode: LockMode::Shared,
            ..OFD
        };
        assert_eq!(users[1].role, Role::Waits(shared));
        assert_eq!(
            users[2],
            User {
                role: Role::Waits(OFD),
                process: None
            }
        );
    }

    #[test]
    fn a_lock_of_a_process_that_cannot_be_seen_is_listed() {
        let mut users = vec![user(Role::HasOpen, 2)];
        let held = [line("1: OFDLCK ADVISORY WRITE -1 fe:01:7 0 EOF")];
        add_holders(&mut users, &held.each_ref());
        add_holders(&mut users, &held.each_ref());
        assert_eq!(users.len(), 2);
        assert_eq!(
            users[1],
            User {
                role: Role::Holds(OFD),
                process: None
            }
        );
    }
}
