//! Where the threads of a stuck process are, according to the kernel.

use std::fmt::Write;
use std::fs;

/// Maximum number of threads shown.
const THREADS: usize = 8;
/// Maximum number of lines of each kernel stack.
const FRAMES: usize = 8;

/// A few lines per thread: its state, its system call and, for root, its kernel stack.
pub(crate) fn of_process(pid: i32) -> String {
    let mut story = String::new();
    let folder = format!("/proc/{pid}/task");
    let mut threads: Vec<String> = fs::read_dir(&folder)
        .into_iter()
        .flatten()
        .filter_map(|entry| entry.ok()?.file_name().into_string().ok())
        .collect();
    threads.sort_by_key(|thread| thread.parse::<u32>().unwrap_or(0));
    for thread in threads.iter().take(THREADS) {
        let read = |name: &str| {
            let text = fs::read_to_string(format!("{folder}/{thread}/{name}"));
            text.map(|text| text.trim().to_owned()).unwrap_or_default()
        };
        let stat = read("stat");
        let state = stat
            .rsplit(") ")
            .next()
            .and_then(|rest| rest.chars().next());
        let state = match state {
            Some('R') => "is running",
            Some('S' | 'D') => "is sleeping",
            Some('T' | 't') => "is stopped",
            _ => "has ended",
        };
        let _ = write!(story, "\n    thread {thread} of process {pid} {state}");
        let place = read("wchan");
        if !matches!(place.as_str(), "" | "0") {
            let _ = write!(story, " in {place}");
        }
        let call = read("syscall");
        if let Some(number) = call.split(' ').next().and_then(|n| n.parse::<i64>().ok()) {
            let _ = write!(story, ", system call {number}{}", name_of(number));
        }
        for frame in read("stack").lines().take(FRAMES) {
            let frame = frame.split_once("] ").map_or(frame, |(_, frame)| frame);
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
