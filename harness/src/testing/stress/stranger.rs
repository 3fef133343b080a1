//! Whether the lock is free when all workers are outside: asked by a process that has nothing to do with them.

use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::thread::sleep;
use std::time::{Duration, Instant};

use nix::sys::signal::{Signal, kill};
use nix::sys::wait::{WaitPidFlag, WaitStatus, waitpid};
use nix::unistd::{ForkResult, Pid, fork};

use crate::testing::lock::{Answer, Lock, WaitLimit};

/// So long a stranger tries again: a child that was forked in a section may keep its copies for a moment.
const GRACE: Duration = Duration::from_secs(1);
const TRY: Duration = Duration::from_millis(1);

const FREE: i32 = 0;
const HELD: i32 = 1;
const CANNOT_ASK: i32 = 2;

/// The rule: nobody inside, nobody waiting, and yet the lock is not free.
pub(super) const ORPHAN: &str = "orphan";

/// What a stranger finds wrong with the lock while all workers, of these processes, are outside.
pub(super) fn asks(lock: &dyn Lock, processes: &[Pid]) -> Option<(String, String)> {
    let answer = in_another_process(&|| tries(lock));
    let file = lock.file();
    let what = match answer {
        Some(FREE | CANNOT_ASK) => return None,
        Some(_) => format!(
            "a try in another process was told for {} ms that it is held",
            GRACE.as_millis()
        ),
        None => "a try in another process did not come back".to_owned(),
    };
    let kernel = file
        .iter()
        .flat_map(|file| kernel_locks(processes, &|path| path == file))
        .collect::<Vec<_>>();
    let kernel = match &kernel[..] {
        [] => String::new(),
        locks => format!("\n    the kernel says: {}", locks.join("; ")),
    };
    Some((
        ORPHAN.into(),
        format!("nobody holds the lock, yet {what}{kernel}"),
    ))
}

/// The kernel's exclusive locks that these processes have on files of `directory`, although all workers are outside; for runs whose lock
/// is known by its folder only. Files that were locked before the run do not count.
pub(super) fn looks(
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
                "every worker has returned from the body, yet the kernel says: {}",
                locks.join("; ")
            );
            return Some((ORPHAN.into(), text));
        }
        sleep(TRY);
    }
}

/// The files of a folder that this process has locked: what is locked before a run, and inherited by its workers.
pub(super) fn locked_here() -> Vec<(u64, u64)> {
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

/// The exclusive locks that open files of a process have: the lines `lock:` of proc_pid_fdinfo(5).
fn locks_of(process: Pid) -> Vec<(PathBuf, String)> {
    let mut found = Vec::new();
    let folder = format!("/proc/{process}/fdinfo");
    for entry in fs::read_dir(folder).into_iter().flatten().flatten() {
        let text = fs::read_to_string(entry.path()).unwrap_or_default();
        for line in text.lines() {
            let Some(lock) = line.strip_prefix("lock:") else {
                continue;
            };
            let words: Vec<&str> = lock.split_whitespace().collect();
            if let [_, kind, advisory, "WRITE", ..] = words[..]
                && let Ok(path) = fs::read_link(format!(
                    "/proc/{process}/fd/{}",
                    entry.file_name().to_string_lossy()
                ))
            {
                found.push((path, format!("an exclusive lock ({kind} {advisory})")));
            }
        }
    }
    found
}

fn tries(lock: &dyn Lock) -> i32 {
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
            Ok(Answer::Unsupported) | Err(_) => return CANNOT_ASK,
        }
    }
}

/// The number with which a forked process ends in which `what` is done; `None` if it does not end.
fn in_another_process(what: &dyn Fn() -> i32) -> Option<i32> {
    // SAFETY: the coordinator forks its workers under the same conditions; the child ends by _exit.
    let child = match unsafe { fork() } {
        Ok(ForkResult::Parent { child }) => child,
        Ok(ForkResult::Child) => {
            let asked = std::panic::AssertUnwindSafe(what);
            let number = std::panic::catch_unwind(asked).unwrap_or(CANNOT_ASK);
            // SAFETY: ends the child; a return would run the rest of the test twice.
            unsafe { libc::_exit(number) }
        }
        Err(_) => return Some(CANNOT_ASK),
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
            _ => return Some(CANNOT_ASK),
        }
    }
}
