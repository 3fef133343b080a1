//! Users of lock files on Windows: who has a file open, by the Restart Manager, which needs no
//! privilege. It does not tell who holds a lock, or waits for one.

use std::iter;
use std::os::windows::ffi::OsStrExt;
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use windows_sys::Win32::Foundation::{ERROR_MORE_DATA, ERROR_SUCCESS, FILETIME};
use windows_sys::Win32::System::RestartManager::{
    CCH_RM_SESSION_KEY, RM_PROCESS_INFO, RmEndSession, RmGetList, RmRegisterResources,
    RmStartSession,
};

use super::files::{Files, below};
use super::users::{Found, Process, Role, User};

pub const LIMITS: Option<&str> =
    Some("Windows tells who has a lock file open, but not who holds the lock and who waits for it");

pub const TELLS_HOLDERS: bool = false;

/// Finds the users of the files below `directory`.
pub fn find(directory: &Path, files: &Files) -> Found {
    let mut found = Found::default();
    let of_directory = |path: &Path| match directory.is_file() {
        true => directory.to_owned(),
        false => directory.join(path),
    };
    let all: Vec<PathBuf> = files.iter().map(|(path, _)| of_directory(path)).collect();
    // One question for all of them, since each takes a while.
    if with_open(&all).is_some_and(|users| users.is_empty()) {
        return found;
    }
    for (path, _) in files.iter() {
        let processes = with_open(&[of_directory(path)]).unwrap_or_default();
        let users: Vec<User> = processes
            .into_iter()
            .map(|process| User {
                role: Role::HasOpen,
                process: Some(process),
            })
            .collect();
        if !users.is_empty() {
            found.users.insert(path.to_owned(), users);
        }
    }
    found
}

/// A process that has a file in the directory open.
pub fn user_of_directory(directory: &Path) -> Option<Process> {
    let files = below(directory);
    let files: Vec<PathBuf> = files.iter().map(|(path, _)| directory.join(path)).collect();
    with_open(&files)?.into_iter().next()
}

/// The note about processes that could not be inspected. The Restart Manager does not count them.
pub fn hidden(_: usize) -> String {
    "some processes could not be inspected; run as administrator to see them".to_owned()
}

/// A session of the Restart Manager, ended when this is dropped.
struct Session(u32);

impl Session {
    fn start() -> Option<Self> {
        let mut session = 0;
        let mut key = [0; CCH_RM_SESSION_KEY as usize + 1];
        // SAFETY: the key has room for its length and a zero, and both live during the call.
        let done = unsafe { RmStartSession(&mut session, 0, key.as_mut_ptr()) };
        (done == ERROR_SUCCESS).then_some(Session(session))
    }
}

impl Drop for Session {
    fn drop(&mut self) {
        // SAFETY: the session was started and not ended.
        unsafe { RmEndSession(self.0) };
    }
}

/// The other processes that have one of the files open, or `None` if that cannot be found out.
fn with_open(files: &[PathBuf]) -> Option<Vec<Process>> {
    if files.is_empty() {
        return Some(Vec::new());
    }
    let session = Session::start()?;
    let names: Vec<Vec<u16>> = files
        .iter()
        .map(|file| {
            file.as_os_str()
                .encode_wide()
                .chain(iter::once(0))
                .collect()
        })
        .collect();
    let names: Vec<*const u16> = names.iter().map(|name| name.as_ptr()).collect();
    // SAFETY: that many names, each ended by a zero, which live during the call; nothing else.
    let done = unsafe {
        RmRegisterResources(
            session.0,
            names.len() as u32,
            names.as_ptr(),
            0,
            std::ptr::null(),
            0,
            std::ptr::null(),
        )
    };
    if done != ERROR_SUCCESS {
        return None;
    }
    let list = list(&session)?;
    let me = std::process::id();
    let others = list
        .iter()
        .filter(|process| process.Process.dwProcessId != me);
    Some(others.map(described).collect())
}

fn list(session: &Session) -> Option<Vec<RM_PROCESS_INFO>> {
    /// The list may grow between two calls.
    const TRIES: usize = 10;
    let mut room = 16;
    for _ in 0..TRIES {
        let mut list = vec![RM_PROCESS_INFO::default(); room];
        let (mut needed, mut count, mut reasons) = (0, room as u32, 0);
        // SAFETY: the list has room for `count` entries, and all of them live during the call.
        let done = unsafe {
            RmGetList(
                session.0,
                &mut needed,
                &mut count,
                list.as_mut_ptr(),
                &mut reasons,
            )
        };
        match done {
            ERROR_SUCCESS => {
                list.truncate(count as usize);
                return Some(list);
            }
            ERROR_MORE_DATA => room = needed as usize + 4,
            _ => return None,
        }
    }
    None
}

fn described(process: &RM_PROCESS_INFO) -> Process {
    let name = &process.strAppName;
    let end = name.iter().position(|&unit| unit == 0);
    Process {
        pid: process.Process.dwProcessId.cast_signed(),
        command: String::from_utf16_lossy(&name[..end.unwrap_or(name.len())]),
        age: age(process.Process.ProcessStartTime),
    }
}

/// The time since a moment, which Windows counts in 100 ns from 1601.
fn age(started: FILETIME) -> Option<Duration> {
    const UNIX_EPOCH_IN_WINDOWS: u64 = 116_444_736_000_000_000;
    let ticks = u64::from(started.dwHighDateTime) << 32 | u64::from(started.dwLowDateTime);
    let since = ticks.checked_sub(UNIX_EPOCH_IN_WINDOWS)?;
    let started = UNIX_EPOCH + Duration::from_nanos(since.checked_mul(100)?);
    SystemTime::now().duration_since(started).ok()
}
