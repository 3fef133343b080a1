//! The processes that hold, wait for, or have open the lock files below a directory.
//!
//! Holders are found through the descriptors of processes, since `/proc/locks` names no process for
//! open-file-description locks. `/proc/locks` then adds the locks of processes whose descriptors
//! may not be inspected. The result is not an exact snapshot: locks come and go while it is taken.

mod files;
mod process;

use std::collections::{BTreeMap, HashMap};
use std::path::{Path, PathBuf};

use lockutils_harness::procfs;
pub use lockutils_harness::procfs::{FileId, FileLock, LockKind, LockMode};
use lockutils_harness::procfs::{LockLine, read_locks};

pub use files::{Files, below, is_hidden, lock_of_turnstile, why_no_lock_file};
pub use process::Process;

/// Lock files and their users.
#[derive(Debug)]
pub struct Scan {
    /// Users by path below the directory, without the turnstiles of fair locks.
    pub files: BTreeMap<PathBuf, Vec<User>>,
    /// Files that are not lock files, each with the reason: `clean` does not remove them.
    pub other_files: BTreeMap<PathBuf, &'static str>,
    /// Number of processes that could not be inspected, since they belong to other users.
    pub hidden: usize,
}

/// One use of a lock file by a process.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct User {
    pub role: Role,
    /// `None` if the process may not be inspected.
    pub process: Option<Process>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Role {
    Holds(FileLock),
    Waits(FileLock),
    /// The file is open without a lock: it was locked, will be, or is being polled, as Python's
    /// oslo does.
    HasOpen,
}

/// Finds the users of all lock files below `directory`.
pub fn scan(directory: &Path) -> Scan {
    let files = below(directory);
    let mut found = Found::default();
    if !files.is_empty() {
        found.look_into_processes(&files);
        found.look_at_kernel(
            &files,
            &read_locks(|inode| files.iter().any(|(file, _)| file.inode == inode)),
        );
    }
    let mut by_path: BTreeMap<PathBuf, Vec<User>> = files
        .iter()
        .map(|(file, path)| {
            (
                path.to_owned(),
                found.users.remove(&file).unwrap_or_default(),
            )
        })
        .collect();
    fold_turnstiles(&mut by_path);
    for users in by_path.values_mut() {
        tidy(users);
    }
    Scan {
        files: by_path,
        other_files: files.other_files().clone(),
        hidden: found.hidden,
    }
}

/// The processes that have the file open, and the number of those that could not be examined.
pub fn that_have_open(path: &Path) -> (Vec<Process>, usize) {
    let files = below(path);
    let mut found = Found::default();
    found.look_into_processes(&files);
    let mut users: Vec<User> = found.users.into_values().flatten().collect();
    users.sort_by_key(|user| user.process.as_ref().map(|process| process.pid));
    users.dedup_by_key(|user| user.process.as_ref().map(|process| process.pid));
    let openers = users.into_iter().filter_map(|user| user.process).collect();
    (openers, found.hidden)
}

#[derive(Default)]
struct Found {
    users: HashMap<FileId, Vec<User>>,
    /// The device of a file as lists of locks have it, known for files with a lock.
    kernel_devices: HashMap<FileId, u64>,
    hidden: usize,
}

impl Found {
    fn look_into_processes(&mut self, files: &Files) {
        for pid in procfs::all() {
            let Some(descriptors) = process::descriptors(pid, files) else {
                self.hidden += 1;
                continue;
            };
            if descriptors.is_empty() {
                continue;
            }
            let process = Process::of(pid.as_raw());
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

    fn look_at_kernel(&mut self, files: &Files, locks: &[LockLine]) {
        for (file, _) in files.iter() {
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
                process: line.pid.map(Process::of),
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
                    process: line.pid.map(Process::of),
                });
                claimed.push(true);
            }
        }
    }
}

/// A process that holds a turnstile or waits for it is a waiter for the lock behind it.
fn fold_turnstiles(files: &mut BTreeMap<PathBuf, Vec<User>>) {
    let turnstiles: Vec<(PathBuf, PathBuf)> = files
        .keys()
        .filter_map(|file| Some((file.clone(), lock_of_turnstile(file)?)))
        .collect();
    for (turnstile, lock) in turnstiles {
        let at_the_gate = files.remove(&turnstile).unwrap_or_default();
        let users = files.entry(lock).or_default();
        for user in at_the_gate {
            let role = match user.role {
                Role::Holds(lock) | Role::Waits(lock) => Role::Waits(lock),
                Role::HasOpen => Role::HasOpen,
            };
            users.push(User { role, ..user });
        }
    }
}

/// Sorts users and removes duplicates, and open descriptors of processes that hold or wait.
fn tidy(users: &mut Vec<User>) {
    users.sort();
    let hidden_apart = |a: &mut User, b: &mut User| a.process.is_some() && a == b;
    users.dedup_by(hidden_apart);
    let busy: Vec<i32> = users
        .iter()
        .filter(|user| user.role != Role::HasOpen)
        .filter_map(|user| Some(user.process.as_ref()?.pid))
        .collect();
    users.retain(|user| {
        user.role != Role::HasOpen
            || user
                .process
                .as_ref()
                .is_none_or(|process| !busy.contains(&process.pid))
    });
}

#[cfg(test)]
mod tests {
    use super::*;

    fn line(text: &str) -> LockLine {
        LockLine::parse(text).unwrap()
    }

    fn user(role: Role, pid: i32) -> User {
        let process = Process {
            pid,
            command: format!("process {pid}"),
            age: None,
        };
        User {
            role,
            process: Some(process),
        }
    }

    const OFD: FileLock = FileLock {
        kind: LockKind::Ofd,
        mode: LockMode::Exclusive,
    };

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

    #[test]
    fn a_turnstile_is_no_lock_and_a_waiter_is_not_listed_as_an_opener() {
        let mut files = BTreeMap::from([
            (PathBuf::from("x"), vec![user(Role::HasOpen, 1)]),
            (
                PathBuf::from(".x.turnstile"),
                vec![user(Role::Holds(OFD), 1)],
            ),
        ]);
        fold_turnstiles(&mut files);
        let users = files.get_mut(Path::new("x")).unwrap();
        tidy(users);
        assert_eq!(*users, [user(Role::Waits(OFD), 1)]);
        assert_eq!(files.len(), 1);
    }
}
