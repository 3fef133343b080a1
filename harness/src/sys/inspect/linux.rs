//! Linux: `/proc` shows it.

use std::fmt::Write;
use std::fs;
use std::os::unix::fs::MetadataExt;

use nix::unistd::Pid;

use super::types::{LockedFile, Starvation};
use crate::model::LockMode;
use crate::procfs::{self, LockLine, SystemCall, Thread};

fn pid(process: u32) -> Pid {
    Pid::from_raw(process.cast_signed())
}

pub(super) fn starvation(processes: &[u32]) -> Starvation {
    let threads: Vec<Thread> = processes
        .iter()
        .filter_map(|process| procfs::threads(pid(*process)).ok())
        .flatten()
        .collect();
    let on_disk = |thread: &Thread| thread.stat().is_some_and(|stat| stat.state == 'D');
    Starvation {
        run_delay: threads.iter().filter_map(|thread| thread.run_delay()).sum(),
        on_disk: threads.iter().any(on_disk),
    }
}

#[cfg(feature = "stress")]
pub(super) fn run_delays(process: u32) -> Vec<(i32, std::time::Duration)> {
    let process = pid(process);
    std::iter::once(process)
        .chain(procfs::children_of(process))
        .filter_map(|process| procfs::threads(process).ok())
        .flatten()
        .filter_map(|thread| Some((thread.id().as_raw(), thread.run_delay()?)))
        .collect()
}

pub(super) fn locked_files(process: u32) -> Vec<LockedFile> {
    let mut found = Vec::new();
    let process = pid(process);
    for (fd, info) in procfs::descriptor_infos(process).into_iter().flatten() {
        for LockLine { lock, .. } in info.locks {
            if lock.mode == LockMode::Exclusive
                && let Ok(path) = procfs::descriptor_target(process, fd)
            {
                found.push(LockedFile {
                    identity: fs::metadata(&path)
                        .ok()
                        .map(|file| (file.dev(), file.ino())),
                    path,
                    lock: format!("an exclusive lock ({})", lock.kind),
                });
            }
        }
    }
    found
}

pub(super) fn is_single_threaded() -> bool {
    procfs::is_single_threaded()
}

pub(super) fn this_thread() -> i32 {
    nix::unistd::gettid().as_raw()
}

/// As proc_pid_stat(5) has it.
pub(super) fn sleeps(thread: i32) -> bool {
    let stat = Thread::of_this_process(Pid::from_raw(thread)).stat();
    stat.is_some_and(|stat| stat.state == 'S')
}

#[cfg(feature = "stress")]
pub(super) fn children() -> Vec<u32> {
    procfs::children()
        .map(|pid| pid.as_raw().cast_unsigned())
        .collect()
}

#[cfg(feature = "stress")]
pub(super) fn with_lock_path_in(directory: &std::path::Path) -> Vec<u32> {
    let processes = procfs::with_lock_path_in(directory).into_iter();
    processes.map(|pid| pid.as_raw().cast_unsigned()).collect()
}

/// Maximum number of threads shown.
const THREADS: usize = 8;
/// Maximum number of lines of each kernel stack.
const FRAMES: usize = 8;

/// A few lines per thread: its state, its system call and, for root, its kernel stack.
pub(super) fn stack_of(process: u32) -> String {
    let mut story = String::new();
    let threads = procfs::threads(pid(process));
    let mut threads: Vec<Thread> = threads.into_iter().flatten().collect();
    threads.sort();
    for thread in threads.iter().take(THREADS) {
        let state = match thread.stat().map(|stat| stat.state) {
            Some('R') => "is running",
            Some('S' | 'D') => "is sleeping",
            Some('T' | 't') => "is stopped",
            _ => "has ended",
        };
        let id = thread.id();
        let _ = write!(story, "\n    thread {id} of process {process} {state}");
        if let Some(function) = thread.wait_channel() {
            let _ = write!(story, " in {function}");
        }
        if let Some(SystemCall { number, .. }) = thread.system_call() {
            let _ = write!(story, ", system call {number}{}", name_of(number));
        }
        for frame in thread.kernel_stack().iter().take(FRAMES) {
            let _ = write!(story, "\n      {frame}");
        }
    }
    if threads.len() > THREADS {
        let _ = write!(story, "\n    and {} more threads", threads.len() - THREADS);
    }
    story
}

/// The system calls in which threads usually wait for a lock.
fn name_of(number: i64) -> &'static str {
    match number {
        libc::SYS_fcntl => " (fcntl)",
        libc::SYS_flock => " (flock)",
        libc::SYS_futex => " (futex)",
        libc::SYS_clock_nanosleep | libc::SYS_nanosleep => " (sleep)",
        libc::SYS_read => " (read)",
        libc::SYS_ppoll => " (poll)",
        _ => "",
    }
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc;
    use std::time::{Duration, Instant};

    #[test]
    fn a_waiting_thread_is_shown_in_its_system_call() {
        let (sender, receiver) = mpsc::channel::<()>();
        let waiter = std::thread::spawn(move || receiver.recv());
        let deadline = Instant::now() + Duration::from_secs(30);
        while !super::stack_of(std::process::id()).contains("(futex)") {
            assert!(Instant::now() < deadline, "no thread is in futex(2)");
            std::thread::yield_now();
        }
        drop(sender);
        assert!(waiter.join().unwrap().is_err());
    }
}
