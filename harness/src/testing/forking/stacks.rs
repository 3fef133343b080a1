//! The positions of the threads of a stuck process, according to the kernel.

use std::fmt::Write;

use nix::unistd::Pid;

use crate::procfs::{self, SystemCall, Thread};

/// Maximum number of threads shown.
const THREADS: usize = 8;
/// Maximum number of lines of each kernel stack.
const FRAMES: usize = 8;

/// A few lines per thread: its state, its system call and, for root, its kernel stack.
pub(crate) fn of_process(pid: i32) -> String {
    let mut story = String::new();
    let threads = procfs::threads(Pid::from_raw(pid));
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
        let _ = write!(story, "\n    thread {id} of process {pid} {state}");
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
        while !super::of_process(nix::unistd::getpid().as_raw()).contains("(futex)") {
            assert!(Instant::now() < deadline, "no thread is in futex(2)");
            std::thread::yield_now();
        }
        drop(sender);
        assert!(waiter.join().unwrap().is_err());
    }
}
