//! The processes that hold, wait for, or have open the lock files below a directory.
//!
//! Systems show different parts of this; each has a file or folder beside this one.

#[cfg(any(test, target_os = "macos", target_os = "freebsd"))]
mod bsd;
mod files;
#[cfg(target_os = "linux")]
mod linux;
mod users;
#[cfg(windows)]
mod windows;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

#[cfg(any(target_os = "macos", target_os = "freebsd"))]
use bsd::system as platform;
#[cfg(target_os = "linux")]
use linux as platform;
#[cfg(windows)]
use windows as platform;

pub use files::{below, is_hidden, lock_of_turnstile, why_no_lock_file};
pub use lockutils_harness::model::{FileLock, LockKind, LockMode};
#[cfg(unix)]
pub use users::Openers;
pub use users::{Process, Role, User};

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

/// The facts about users of lock files that this system does not show.
pub const LIMITS: Option<&str> = platform::LIMITS;

/// `false` if this system does not show who holds a lock.
pub const TELLS_HOLDERS: bool = platform::TELLS_HOLDERS;

/// Finds the users of all lock files below `directory`.
pub fn scan(directory: &Path) -> Scan {
    let files = below(directory);
    let mut found = platform::find(directory, &files);
    let mut by_path: BTreeMap<PathBuf, Vec<User>> = files
        .iter()
        .map(|(path, _)| {
            let users = found.users.remove(path).unwrap_or_default();
            (path.to_owned(), users)
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

/// The processes that have the file open. Windows needs no list to remove a file.
#[cfg(unix)]
pub fn openers(path: &Path) -> Openers {
    platform::openers(path)
}

/// A process that uses the directory of a run, so that it must not be removed.
pub fn user_of_directory(directory: &Path) -> Option<Process> {
    platform::user_of_directory(directory)
}

/// The note about processes that could not be inspected, with a remedy.
pub fn hidden(processes: usize) -> String {
    platform::hidden(processes)
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
    use super::users::for_tests::{OFD, user};
    use super::*;

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
