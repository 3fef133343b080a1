//! The second process of a measurement: this program once more, with commands on standard input.

use std::io::{BufRead, BufReader, Write};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};
use std::time::{Duration, Instant};

use nix::time::{ClockId, clock_gettime};
use oslo_concurrency::lockutils::InterProcessLock;

use crate::raw::RawOfd;

const ROLE: &str = "LOCKUTILS_BENCH_FILE";

/// The way in which the other process acquires the lock.
#[derive(Clone, Copy)]
pub enum Kind {
    Raw,
    Ours,
    OursTimed,
}

impl Kind {
    fn word(self) -> &'static str {
        match self {
            Kind::Raw => "raw",
            Kind::Ours => "ours",
            Kind::OursTimed => "timed",
        }
    }
}

/// Nanoseconds on a clock that all processes share.
pub fn now() -> i64 {
    let time = clock_gettime(ClockId::CLOCK_MONOTONIC).expect("the monotonic clock");
    time.tv_sec() * 1_000_000_000 + time.tv_nsec()
}

pub fn is_one() -> bool {
    std::env::var_os(ROLE).is_some()
}

/// Answers each line, a kind, with the time at which the lock was acquired.
pub fn run() {
    let path = PathBuf::from(std::env::var_os(ROLE).expect("checked by the caller"));
    let raw = RawOfd::open(&path);
    let ours = InterProcessLock::new(&path);
    let long = Duration::from_secs(60);
    for line in std::io::stdin().lines() {
        let acquired = match line.expect("a line").as_str() {
            "raw" => {
                raw.lock();
                let acquired = now();
                raw.unlock();
                acquired
            }
            "ours" => {
                let _guard = ours.acquire().expect("the lock");
                now()
            }
            _ => {
                let _guard = ours.acquire_timeout(long).expect("the lock");
                now()
            }
        };
        println!("{acquired}");
    }
}

pub struct Other {
    child: Child,
    input: ChildStdin,
    output: BufReader<ChildStdout>,
}

impl Other {
    pub fn start(file: &Path) -> Self {
        let program = std::env::current_exe().expect("our own path");
        let mut child = Command::new(program)
            .env(ROLE, file)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .expect("this program starts once more");
        Other {
            input: child.stdin.take().expect("piped"),
            output: BufReader::new(child.stdout.take().expect("piped")),
            child,
        }
    }

    /// Requests the lock.
    pub fn ask_at_once(&mut self, kind: Kind) {
        writeln!(self.input, "{}", kind.word()).expect("the other process listens");
    }

    /// Requests the lock and returns once the other process waits for it in the kernel. The caller
    /// holds it.
    pub fn ask(&mut self, kind: Kind) {
        self.ask_at_once(kind);
        let calls = format!("/proc/{}/syscall", self.child.id());
        let fcntl = format!("{} ", libc::SYS_fcntl);
        let deadline = Instant::now() + Duration::from_secs(10);
        while !std::fs::read_to_string(&calls).is_ok_and(|call| call.starts_with(&fcntl)) {
            assert!(Instant::now() < deadline, "the other process does not wait");
        }
        std::thread::sleep(Duration::from_micros(300)); // until it sleeps deeply, like a waiter
    }

    /// The time at which the other process acquired the lock.
    pub fn acquired(&mut self) -> i64 {
        let mut line = String::new();
        self.output.read_line(&mut line).expect("an answer");
        line.trim().parse().expect("a time")
    }
}

impl Drop for Other {
    fn drop(&mut self) {
        // Killed by its own id and reaped: a waiting process would not notice the end of its input.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
