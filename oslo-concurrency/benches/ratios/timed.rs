//! A wait that ends at its deadline: its lateness and its cost.

use std::time::{Duration, Instant};

use nix::sys::resource::{UsageWho, getrusage};
use nix::sys::time::TimeValLike;
use oslo_concurrency::lockutils::{Error, InterProcessLock};

use crate::measure::Spread;
use crate::raw::RawOfd;

pub fn print() {
    println!("\ntimed waits that time out");
    let directory = tempfile::tempdir().expect("a directory for the lock files");
    let file = directory.path().join("file");
    let holder = RawOfd::open(&file);
    holder.lock();
    let lock = InterProcessLock::new(&file);
    let lateness = |timeout: Duration, n: usize| {
        Spread::of((0..n).map(|_| {
            let asked = Instant::now();
            let outcome = lock.acquire_timeout(timeout);
            let waited = asked.elapsed();
            assert!(matches!(outcome, Err(Error::Timeout { .. })));
            (waited.as_secs_f64() - timeout.as_secs_f64()) * 1e6
        }))
    };
    for (timeout, n) in [(0, 200), (20, 200), (1_000, 2_000), (20_000, 100)] {
        let late = lateness(Duration::from_micros(timeout), n);
        println!(
            "{timeout:>6} µs: late by {:>6.0} µs min, {:>6.0} median, {:>6.0} p99, {:>6.0} max   bound: never early, at most 1000 late",
            late.quantile(0.0),
            late.median(),
            late.quantile(0.99),
            late.quantile(1.0)
        );
    }
    let cpu = || {
        let usage = getrusage(UsageWho::RUSAGE_THREAD).expect("the thread's usage");
        (usage.user_time() + usage.system_time()).num_microseconds()
    };
    let before = cpu();
    let _ = lock.acquire_timeout(Duration::from_secs(3));
    println!(
        "waiting costs {:.0} µs of CPU a second   bound: at most 1000",
        (cpu() - before) as f64 / 3.0
    );
}
