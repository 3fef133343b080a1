//! Asking the system.

use std::ffi::OsStr;
use std::fs::File;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use lockutils_harness::model::{FileLock, LockKind, LockMode};
use nix::fcntl::{FcntlArg, fcntl};
use nix::libc;

use super::tables;
use crate::lock_scan::files::{Files, below};
use crate::lock_scan::users::{Found, Openers, Process, Role, User};
use crate::sys::whole_file;

pub const LIMITS: Option<&str> = Some(
    "this system tells who holds a lock only for record locks (fcntl), and not who waits; other \
     users' processes are visible to root only",
);

pub const TELLS_HOLDERS: bool = true;

/// Finds the users of the files below `directory`.
pub fn find(directory: &Path, files: &Files) -> Found {
    let mut found = Found::default();
    for (path, _) in files.iter() {
        let file = match directory.is_file() {
            true => directory.to_owned(),
            false => directory.join(path),
        };
        let users = users(&file);
        if !users.is_empty() {
            found.users.insert(path.to_owned(), users);
        }
    }
    found
}

fn users(file: &Path) -> Vec<User> {
    let openers = with_open(&[file.to_owned()]).unwrap_or_default();
    let lock = lock_on(file);
    let holder = match lock {
        Some((_, Some(pid))) => Some(pid),
        // A lock of an open file belongs to who has it open.
        Some((_, None)) if openers.len() == 1 => Some(openers[0]),
        _ => None,
    };
    let mut users: Vec<User> = openers
        .iter()
        .filter(|&&pid| Some(pid) != holder)
        .map(|&pid| User {
            role: Role::HasOpen,
            process: Some(process(pid)),
        })
        .collect();
    if let Some((lock, _)) = lock {
        users.push(User {
            role: Role::Holds(lock),
            process: holder.map(process),
        });
    }
    users
}

/// The lock that keeps an exclusive one off the file, and the process that holds it, if the lock is
/// one of a process. Acquires nothing.
fn lock_on(file: &Path) -> Option<(FileLock, Option<i32>)> {
    let file = File::options().read(true).write(true).open(file).ok()?;
    let mut request = whole_file(libc::F_WRLCK as libc::c_short);
    fcntl(&file, FcntlArg::F_GETLK(&mut request)).ok()?;
    if request.l_type == libc::F_UNLCK as libc::c_short {
        return None;
    }
    let pid = (request.l_pid > 0).then_some(request.l_pid);
    let lock = FileLock {
        kind: match pid {
            Some(_) => LockKind::Posix,
            None if cfg!(target_os = "macos") => LockKind::Ofd,
            None => LockKind::Flock,
        },
        mode: match request.l_type == libc::F_RDLCK as libc::c_short {
            true => LockMode::Shared,
            false => LockMode::Exclusive,
        },
    };
    Some((lock, pid))
}

/// The processes that have the file open.
pub fn openers(path: &Path) -> Openers {
    let Some(pids) = with_open(&[path.to_owned()]) else {
        let doubt = format!("{PROGRAM} cannot be run, which tells who has it open");
        return Openers {
            processes: Vec::new(),
            doubt: Some(doubt),
        };
    };
    let is_root = nix::unistd::geteuid().is_root();
    Openers {
        processes: pids.into_iter().map(process).collect(),
        doubt: (!is_root).then(|| "processes of other users are visible to root only".to_owned()),
    }
}

/// A process that has a file in the directory open.
pub fn user_of_directory(directory: &Path) -> Option<Process> {
    let files = below(directory);
    let files: Vec<PathBuf> = files.iter().map(|(path, _)| directory.join(path)).collect();
    let pid = with_open(&files)?.into_iter().next()?;
    Some(process(pid))
}

/// The note about processes that could not be inspected. How many is not known here.
pub fn hidden(_: usize) -> String {
    "processes of other users are visible to root only".to_owned()
}

#[cfg(target_os = "macos")]
const PROGRAM: &str = "/usr/sbin/lsof";
#[cfg(target_os = "freebsd")]
const PROGRAM: &str = "/usr/bin/fstat";

/// The other processes that have one of the files open, or `None` if that cannot be found out.
fn with_open(files: &[PathBuf]) -> Option<Vec<i32>> {
    if files.is_empty() {
        return Some(Vec::new());
    }
    let files = files.iter().map(|file| file.as_os_str());
    #[cfg(target_os = "macos")]
    let mut pids = tables::lsof(&output(
        PROGRAM,
        ["-w", "-Fp", "--"].map(OsStr::new).into_iter().chain(files),
    )?);
    #[cfg(target_os = "freebsd")]
    let mut pids = tables::fstat(&output(PROGRAM, files)?);
    let me = std::process::id().cast_signed();
    pids.retain(|&pid| pid != me);
    Some(pids)
}

fn process(pid: i32) -> Process {
    let number = pid.to_string();
    let words = ["-ww", "-o", "etime=,command=", "-p", &number];
    let ps = output("/bin/ps", words.map(OsStr::new));
    let (age, command) = ps
        .and_then(|text| tables::ps(&text))
        .unwrap_or((None, "?".to_owned()));
    Process { pid, command, age }
}

/// The standard output of a program, whatever its exit status: lsof fails if nothing is found.
fn output<'a>(program: &str, words: impl IntoIterator<Item = &'a OsStr>) -> Option<String> {
    let output = Command::new(program)
        .args(words)
        .stdin(Stdio::null())
        .stderr(Stdio::null())
        .output()
        .ok()?;
    Some(String::from_utf8_lossy(&output.stdout).into_owned())
}
