//! Checks, while all workers are outside, that the lock is free for another process.

use std::path::Path;
use std::thread::sleep;
use std::time::{Duration, Instant};

use crate::sys::inspect::{LockedFile, locked_files};
use crate::testing::lock::{Answer, Lock, WaitLimit};

/// Time for which the other process tries: a child forked in a section may keep its copies briefly.
pub(super) const GRACE: Duration = Duration::from_secs(1);
const TRY: Duration = Duration::from_millis(1);

const FREE: i32 = 0;
const HELD: i32 = 1;
/// The status of a process that could not try the lock.
pub(super) const NOT_KNOWN: i32 = 2;

/// The rule: no worker holds the lock or waits for it, yet it is not free.
pub(super) const ORPHAN: &str = "orphan";

/// Asks another process to try the lock; `None` if it does not end. Returns a violation if the lock
/// is not free.
pub(super) fn by_trying(
    lock: &dyn Lock,
    processes: &[u32],
    ask: &mut dyn FnMut() -> Option<i32>,
) -> Option<(String, String)> {
    let answer = ask();
    let file = lock.file();
    let what = match answer {
        Some(FREE | NOT_KNOWN) => return None,
        Some(_) => format!("another process found it held for {} ms", GRACE.as_millis()),
        None => "the try-acquire of another process did not return".to_owned(),
    };
    let kernel = file
        .iter()
        .flat_map(|file| kernel_locks(processes, &|locked| locked.path == *file))
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
    processes: &[u32],
) -> Option<(String, String)> {
    let is_ours = |locked: &LockedFile| {
        locked.path.parent() == Some(directory)
            && locked.identity.is_some_and(|file| !before.contains(&file))
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
    locked_files(std::process::id())
        .into_iter()
        .filter_map(|locked| locked.identity)
        .collect()
}

fn kernel_locks(processes: &[u32], which: &dyn Fn(&LockedFile) -> bool) -> Vec<String> {
    let mut found = Vec::new();
    for process in processes {
        for locked in locked_files(*process) {
            if which(&locked) {
                found.push(format!(
                    "process {process} has {} on {}",
                    locked.lock,
                    locked.path.display()
                ));
            }
        }
    }
    found
}

/// Tries the lock as a process that is no worker. Returns its exit status.
pub(super) fn try_for_a_while(lock: &dyn Lock) -> i32 {
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
