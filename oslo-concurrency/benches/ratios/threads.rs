//! Many threads of one process on one external lock, and the share of another process meanwhile.

use std::ffi::CString;
use std::os::unix::ffi::OsStrExt;
use std::path::Path;
use std::sync::Barrier;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};

use nix::sys::stat::lstat;
use oslo_concurrency::lockutils::InterProcessLock;

use crate::measure::{Spread, in_turns, row, title};
use crate::other_process::{Kind, Other, now};
use crate::raw::RawOfd;

const ROUNDS: usize = 9;
const ROUND: Duration = Duration::from_millis(200);

/// Total nanoseconds per section of a round with `threads` threads.
fn contend<W: FnMut()>(threads: usize, work: impl Fn() -> W + Sync) -> f64 {
    let (start, stop, sections) = (
        Barrier::new(threads + 1),
        AtomicBool::new(false),
        AtomicU64::new(0),
    );
    std::thread::scope(|scope| {
        for _ in 0..threads {
            scope.spawn(|| {
                let mut section = work();
                start.wait();
                let mut entered = 0;
                while !stop.load(Ordering::Relaxed) {
                    section();
                    entered += 1;
                }
                sections.fetch_add(entered, Ordering::Relaxed);
            });
        }
        start.wait();
        let began = Instant::now();
        std::thread::sleep(ROUND);
        stop.store(true, Ordering::Relaxed);
        began.elapsed()
    })
    .as_nanos() as f64
        / sections.load(Ordering::Relaxed) as f64
}

pub fn print() {
    title("many threads of one process, empty section, ns for each section");
    let directory = tempfile::tempdir().expect("a directory for the lock files");
    let file = directory.path().join("file");
    for threads in [2, 4, 8] {
        let figures = in_turns(
            ROUNDS,
            || contend(threads, || raw_section(&file)),
            || contend(threads, || our_section(&file)),
        );
        row(
            &format!("{threads} threads to a raw OFD pair a thread"),
            "ns",
            &figures,
            "",
        );
        let figures = in_turns(
            ROUNDS,
            || contend(threads, || raw_section_with_a_look(&file)),
            || contend(threads, || our_section(&file)),
        );
        row(
            &format!("{threads} threads to a raw OFD pair and lstat"),
            "ns",
            &figures,
            "at most 0.75",
        );
    }
    println!(
        "\nwaits of another process while 4 threads of this one reacquire the lock without a pause"
    );
    for (what, ours) in [("raw OFD pair a thread", false), ("ours", true)] {
        let waited = another_process_waits(&file, ours);
        println!(
            "{what:<24} {:>7.0} µs median, {:>7.0} µs p99, {:>7.0} µs max, {} waits",
            waited.0.median(),
            waited.0.quantile(0.99),
            waited.0.quantile(1.0),
            waited.1
        );
    }
}

fn raw_section(file: &Path) -> impl FnMut() + use<> {
    let raw = RawOfd::open(file);
    move || {
        raw.lock();
        raw.unlock();
    }
}

/// The minimum for a lock that, like ours, detects a replaced file.
fn raw_section_with_a_look(file: &Path) -> impl FnMut() + use<> {
    let raw = RawOfd::open(file);
    let path = CString::new(file.as_os_str().as_bytes()).expect("a path");
    move || {
        raw.lock();
        std::hint::black_box(lstat(path.as_c_str()).expect("the file is there"));
        raw.unlock();
    }
}

fn our_section(file: &Path) -> impl FnMut() + use<> {
    let lock = InterProcessLock::new(file);
    move || drop(lock.acquire().expect("the lock"))
}

fn another_process_waits(file: &Path, ours: bool) -> (Spread, usize) {
    let mut other = Other::start(file);
    let stop = AtomicBool::new(false);
    let waited: Vec<f64> = std::thread::scope(|scope| {
        for _ in 0..4 {
            scope.spawn(|| {
                let mut raw = raw_section(file);
                let mut lock = our_section(file);
                while !stop.load(Ordering::Relaxed) {
                    if ours { lock() } else { raw() }
                }
            });
        }
        let kind = if ours { Kind::Ours } else { Kind::Raw };
        let until = Instant::now() + Duration::from_secs(2);
        let mut waited = Vec::new();
        while Instant::now() < until {
            let asked = now();
            other.ask_at_once(kind);
            waited.push((other.acquired() - asked) as f64 / 1_000.0);
        }
        stop.store(true, Ordering::Relaxed);
        waited
    });
    let n = waited.len();
    (Spread::of(waited), n)
}
