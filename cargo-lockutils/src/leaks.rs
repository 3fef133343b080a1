//! Lock files that a run used, and locks that it still holds.

use std::collections::BTreeSet;
use std::fmt;
use std::path::{Path, PathBuf};

use crate::lock_scan::{self, Role, lock_of_turnstile};
use crate::output;

/// A lock that is still held after the tests have ended.
#[derive(Debug, PartialEq, Eq, PartialOrd, Ord, serde::Serialize)]
pub struct Leak {
    file: PathBuf,
    pid: i32,
    command: String,
    /// The system tells only that the file is open.
    #[serde(skip)]
    open: bool,
}

impl fmt::Display for Leak {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Leak {
            file,
            pid,
            command,
            open,
        } = self;
        let does = if *open { "open in" } else { "held by" };
        write!(
            f,
            "{} is still {does} process {pid}: {command}",
            file.display()
        )
    }
}

/// The names of the lock files under `lock_path`, without the turnstiles of fair locks.
pub fn lock_files(lock_path: &Path) -> BTreeSet<String> {
    lock_scan::below(lock_path)
        .iter()
        .filter(|(file, _)| lock_of_turnstile(file).is_none())
        .filter_map(|(file, _)| Some(file.file_name()?.to_string_lossy().into_owned()))
        .collect()
}

/// The locks on files under `lock_path` that processes of this user hold, or any process if this
/// one runs as root. Where the system tells only who has a lock file open, that counts.
pub fn held(lock_path: &Path) -> BTreeSet<Leak> {
    let files = lock_scan::scan(lock_path).files;
    let holders = files.into_iter().flat_map(|(file, users)| {
        users.into_iter().filter_map(move |user| {
            let process = user.process?;
            let open = user.role == Role::HasOpen && !lock_scan::TELLS_HOLDERS;
            (open || matches!(user.role, Role::Holds(_))).then(|| Leak {
                file: file.clone(),
                pid: process.pid,
                command: output::shorten(&process.command, output::LONGEST),
                open,
            })
        })
    });
    holders.collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs;

    #[test]
    fn names_lock_files_of_all_directories_once() {
        let directory = tempfile::tempdir().unwrap();
        for file in ["one/a", "two/a", "two/b", ".b.turnstile"] {
            let path = directory.path().join(file);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, "").unwrap();
        }
        let names: Vec<String> = lock_files(directory.path()).into_iter().collect();
        assert_eq!(names, ["a", "b"]);
    }
}
