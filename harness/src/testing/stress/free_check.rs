//! Checks, while all workers are outside, that the lock is free for another process.

use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::thread::sleep;
use std::time::{Duration, Instant};

use nix::sys::signal::{Signal, kill};
use nix::sys::wait::{WaitPidFlag, WaitStatus, waitpid};
use nix::unistd::{ForkResult, Pid, fork};

use crate::procfs::{self, LockLine, LockMode};
use crate::testing::lock::{Answer, Lock, WaitLimit};

/// Time for which the other process tries: a child forked in a section may keep its copies briefly.
const GRACE: Duration = Duration::from_secs(1);
const TRY: Duration = Duration::from_millis(1);

const FREE: i32 = 0;
const HELD: i32 = 1;
const NOT_KNOWN: i32 = 2;

/// The rule: no worker holds the lock or waits for it, yet it is not free.
pub(super) const ORPHAN: &str = "orphan";

/// Tries the lock in another process. Returns a violation if it is not free.
pub(super) fn by_trying(lock: &dyn Lock, processes: &[Pid]) -> Option<(String, String)> {
    let answer = in_another_process(&|| try_for_a_while(lock));
    let file = lock.file();
    let what = match answer {
        Some(FREE | NOT_KNOWN) => return None,
        Some(_) => format!("another process found it held for {} ms", GRACE.as_millis()),
        None => "the try-acquire of another process did not return".to_owned(),
    };
    let kernel = file
        .iter()
        .flat_map(|file| kernel_locks(processes, &|path| path == file))
        .collect::<Vec<_>>();
    let kernel = match &kernel[..] {
        [] => String::new(),
        locks => format!("\n    according to the kernel, {}", locks.join("; ")),
    };
    Some((
        ORPHAN.into(),
        format!("no worker holds the lock, yet {what}{kernel}"),
    ))
}

/// Searches for exclusive locks of the kernel that these processes have on files of `directory`,
/// for runs that know only the directory of the lock. Files that were locked before do not count.
pub(super) fn by_kernel_locks(
    directory: &Path,
    before: &[(u64, u64)],
    processes: &[Pid],
) -> Option<(String, String)> {
    let is_ours = |path: &Path| {
        let identity = fs::metadata(path).map(|file| (file.dev(), file.ino()));
        path.parent() == Some(directory) && identity.is_ok_and(|file| !before.contains(&file))
    };
    let until = Instant::now() + GRACE;
    loop {
        let locks = kernel_locks(processes, &is_ours);
        if locks.is_empty() {
            return None;
        }
        if Instant::now() > until {
            let text = format!(
                "every worker has returned from the body, yet according to the kernel {}",
                locks.join("; ")
            );
            return Some((ORPHAN.into(), text));
        }
        sleep(TRY);
    }
}

/// The files that this process has locked before a run; its workers inherit them.
pub(super) fn files_locked_here() -> Vec<(u64, u64)> {
    locks_of(nix::unistd::getpid())
        .into_iter()
        .filter_map(|(path, _)| fs::metadata(path).ok())
        .map(|file| (file.dev(), file.ino()))
        .collect()
}

fn kernel_locks(processes: &[Pid], which: &dyn Fn(&Path) -> bool) -> Vec<String> {
    let mut found = Vec::new();
    for process in processes {
        for (path, lock) in locks_of(*process) {
            if which(&path) {
                found.push(format!(
                    "process {process} has {lock} on {}",
                    path.display()
                ));
            }
        }
    }
    found
}

/// The exclusive locks of the open files of a process.
fn locks_of(process: Pid) -> Vec<(PathBuf, String)> {
    let mut found = Vec::new();
    for (fd, info) in procfs::descriptor_infos(process).into_iter().flatten() {
        for LockLine { lock, .. } in info.locks {
            if lock.mode == LockMode::Exclusive
                && let Ok(path) = procfs::descriptor_target(process, fd)
            {
                found.push((path, format!("an exclusive lock ({})", lock.kind)));
            }
        }
    }
    found
}

fn try_for_a_while(lock: &dyn Lock) -> i32 {
    let until = Instant::now() + GRACE;
    loop {
        let mut answer = lock.run(WaitLimit::NoWait, &mut || ());
        if matches!(answer, Ok(Answer::Unsupported)) {
            answer = lock.run(WaitLimit::AtMost(TRY), &mut || ());
        }
        if matches!(answer, Ok(Answer::Unsupported)) {
            answer = lock.run(WaitLimit::Forever, &mut || ());
        }
        match answer {
            Ok(Answer::Ran) => return FREE,
            Ok(Answer::Busy | Answer::TimedOut) if Instant::now() < until => sleep(TRY),
            Ok(Answer::Busy | Answer::TimedOut) => return HELD,
            Ok(Answer::Unsupported) | Err(_) => return NOT_KNOWN,
        }
    }
}

/// Calls `ask` in a forked process. Returns its exit status, or `None` if it does not end.
fn in_another_process(ask: &dyn Fn() -> i32) -> Option<i32> {
    // SAFETY: the conditions are those of the coordinator's forks; the child ends by _exit.
    let child = match unsafe { fork() } {
        Ok(ForkResult::Parent { child }) => child,
        Ok(ForkResult::Child) => {
            let asked = std::panic::AssertUnwindSafe(ask);
            let number = std::panic::catch_unwind(asked).unwrap_or(NOT_KNOWN);
            // SAFETY: ends the child. Returning would run the rest of the test twice.
            unsafe { libc::_exit(number) }
        }
        Err(_) => return Some(NOT_KNOWN),
    };
    let until = Instant::now() + 2 * GRACE;
    loop {
        match waitpid(child, Some(WaitPidFlag::WNOHANG)) {
            Ok(WaitStatus::Exited(_, number)) => return Some(number),
            Ok(WaitStatus::StillAlive) if Instant::now() < until => {
                sleep(Duration::from_micros(100));
            }
            Ok(WaitStatus::StillAlive) => {
                let _ = kill(child, Signal::SIGKILL);
                let _ = waitpid(child, None);
                return None;
            }
            _ => return Some(NOT_KNOWN),
        }
    }
}
