//! Which processes hold, wait for, or have open the lock files below a directory.
//!
//! Holders are found in /proc/PID/fdinfo, since /proc/locks names no process for open-file-description locks; /proc/locks then adds what
//! processes hold and wait for into which we may not look. It is a snapshot: locks come and go while it is taken.

mod files;
mod kernel;
mod process;

use std::collections::{BTreeMap, HashMap};
use std::path::{Path, PathBuf};

use lockutils_harness::procfs;

pub use files::{Files, Identity, below, is_hidden, lock_of_turnstile, why_no_lock_file};
pub use kernel::{Kind, Lock, Mode};
pub use process::Process;
#[cfg(fuzzing)]
pub use process::properties;

/// What was found.
#[derive(Debug)]
pub struct Scan {
    /// By path below the directory, the turnstiles of fair locks left out.
    pub files: BTreeMap<PathBuf, Vec<User>>,
    /// Why some of them are no lock files: `clean` leaves these alone.
    pub foreign: BTreeMap<PathBuf, &'static str>,
    /// How many processes would not let us look: they are other users'.
    pub hidden: usize,
}

/// Somebody who has to do with a lock file.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct User {
    pub role: Role,
    /// `None` if it is in a process into which we may not look.
    pub process: Option<Process>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Role {
    Holds(Lock),
    Waits(Lock),
    /// The file is open, without a lock: it was locked, is going to be, or somebody asks again and again, as Python's oslo does.
    HasOpen,
}

/// Looks at all processes.
pub fn scan(directory: &Path) -> Scan {
    let files = below(directory);
    let mut found = Found::default();
    if !files.is_empty() {
        found.look_into_processes(&files);
        found.look_at_kernel(
            &files,
            &kernel::read(|inode| files.iter().any(|(file, _)| file.inode == inode)),
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
        foreign: files.foreign().clone(),
        hidden: found.hidden,
    }
}

/// The processes that have `file` open, and how many would not let us look.
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
    users: HashMap<Identity, Vec<User>>,
    /// The device of a file as /proc/locks has it, where a lock has shown it.
    kernel_devices: HashMap<Identity, u64>,
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

    fn look_at_kernel(&mut self, files: &Files, locks: &[kernel::Line]) {
        for (file, _) in files.iter() {
            let device = self.kernel_devices.get(&file).copied();
            let in_kernel = Identity {
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

/// Adds the locks that no process into which we could look holds.
fn add_holders(users: &mut Vec<User>, held: &[&kernel::Line]) {
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

/// Gives the waiters that were seen the mode that the kernel knows, and adds those that were not seen.
fn add_waiters(users: &mut Vec<User>, waiting: &[&kernel::Line]) {
    let mut claimed = vec![false; users.len()];
    for line in waiting {
        let seen = users.iter().zip(&claimed).position(|(user, claimed)| {
            let pid = user.process.as_ref().map(|process| process.pid);
            let waits = matches!(user.role, Role::Waits(lock) if lock.kind == line.lock.kind);
            // A waiter whose system call we may not see is known by its number.
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

/// Whoever holds a turnstile or waits for it waits for the lock behind it.
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

/// One line for each thing that a process does, and none for the descriptors that it keeps besides.
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

    fn line(text: &str) -> kernel::Line {
        kernel::parse(text).unwrap()
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

    const OFD: Lock = Lock {
        kind: Kind::Ofd,
        mode: Mode::Exclusive,
    };

    #[test]
    fn a_waiter_gets_its_mode_from_the_kernel_and_unseen_ones_are_added() {
        let mut users = vec![user(Role::Holds(OFD), 1), user(Role::Waits(OFD), 2)];
        let waiting = [
            line("1: -> OFDLCK ADVISORY READ -1 fe:01:7 0 EOF"),
            line("1: -> OFDLCK ADVISORY WRITE -1 fe:01:7 0 EOF"),
        ];
        add_waiters(&mut users, &waiting.each_ref());
        let shared = Lock {
            mode: Mode::Shared,
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
    fn a_lock_of_a_process_that_cannot_be_seen_is_told_nevertheless() {
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
    fn a_turnstile_is_not_a_lock_of_its_own_and_a_process_that_waits_is_not_told_to_have_it_open() {
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
