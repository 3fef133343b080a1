//! Measures the accuracy and the speed of the harness: false reports of correct locks, detected
//! overlaps of a broken one, and the cost of observation.
//!
//! `cargo run --release -p lockutils-tests --bin exactness [SECTIONS]`; the default is ten million
//! sections.

use std::hint::black_box;
use std::path::Path;
use std::time::{Duration, Instant};

use lockutils_harness::testing::checker::{Promises, check};
use lockutils_harness::testing::conformance::{Answer, Lock, Oslo, WaitLimit};
use lockutils_harness::testing::history::{Event, EventKind, Mode, merge};

use lockutils_harness::testing::stress::{ProcessOutcome, Stress, StressReport};
use lockutils_harness::testing::witness::{Shape, Witness};
use lockutils_tests::peers::StdFile;

fn main() -> anyhow::Result<()> {
    let sections: u64 = std::env::args()
        .nth(1)
        .map_or(Ok(10_000_000), |n| n.parse())?;
    let directory = tempfile::tempdir()?;
    cost_of_watching();
    start_of_workers();
    cost_of_checking();
    dead_holders(directory.path());
    leaks(directory.path());
    correct_locks(sections, directory.path());
    Ok(())
}

/// Rounds of 4 processes and 2 threads, until this many sections were entered.
fn correct_locks(sections: u64, directory: &Path) {
    const ROUND: usize = 50_000;
    let mut total = [0; 4];
    let mut reports = 0;
    let mut round = 0;
    while total.iter().sum::<u64>() < sections {
        let which = round % total.len();
        let report = match which {
            0 => contend(ROUND, &Oslo::new(directory)),
            1 => contend(ROUND / 10, &Oslo::fair(directory)),
            2 => contend(ROUND, &StdFile::new(directory)),
            _ => threads(ROUND * 4),
        };
        total[which] += report.sections();
        reports += report.overlaps().len();
        round += 1;
    }
    println!(
        "correct locks: {reports} overlaps reported in {} sections\n  (external {}, fair {}, flock {}, between threads {})",
        total.iter().sum::<u64>(),
        total[0],
        total[1],
        total[2],
        total[3]
    );
}

fn contend(sections: usize, lock: &impl Lock) -> StressReport {
    let stress = Stress::new().processes(4).threads(2).sections(sections);
    stress.deadline(Duration::from_secs(600)).run(|worker| {
        let answer = lock.run(WaitLimit::Forever, &mut || worker.section(|| ()));
        answer.expect("the lock");
    })
}

fn threads(sections: usize) -> StressReport {
    let lock = oslo_concurrency::lockutils::internal_lock("exactness", None);
    let stress = Stress::new().processes(1).threads(4).sections(sections);
    stress.deadline(Duration::from_secs(600)).run(|worker| {
        let _guard = lock.acquire().expect("the lock");
        worker.section(|| ());
    })
}

/// A lock that admits a second holder once in so many sections, while the first is inside; the
/// harness must detect each overlap.
fn leaks(directory: &Path) {
    for (once_in, sections) in [
        (1, 10_000),
        (10, 10_000),
        (1_000, 30_000),
        (100_000, 150_000),
    ] {
        let lock = Oslo::new(directory);
        let report = Stress::new()
            .processes(4)
            .sections(sections)
            .deadline(Duration::from_secs(600))
            .run(|worker| {
                if worker.random(once_in) > 0 {
                    let _ = lock.run(WaitLimit::Forever, &mut || worker.section(|| ()));
                    return;
                }
                for _ in 0..1_000 {
                    if !matches!(lock.run(WaitLimit::NoWait, &mut || ()), Ok(Answer::Ran)) {
                        break;
                    }
                    std::thread::yield_now();
                }
                worker.section(|| ());
            });
        println!(
            "a lock that admits a second holder once in {once_in}: {} overlaps in {} sections",
            report.overlaps().len(),
            report.sections()
        );
    }
}

fn dead_holders(directory: &Path) {
    let lock = Oslo::new(directory);
    let (mut deaths, mut reports) = (0, 0);
    while deaths < 500 {
        let report = Stress::new().processes(16).sections(200).run(|worker| {
            let _ = lock.run(WaitLimit::Forever, &mut || {
                worker.section(|| {
                    if worker.number() > 0 && worker.random(100) == 0 {
                        worker.die();
                    }
                });
            });
        });
        let died = |outcome: &&ProcessOutcome| matches!(outcome, ProcessOutcome::Killed(_));
        deaths += report.outcomes().iter().filter(died).count();
        reports += report.overlaps().len();
    }
    println!("holders that die in the section: {reports} overlaps reported after {deaths} deaths");
}

fn cost_of_watching() {
    const SECTIONS: usize = 100_000;
    let mut costs: Vec<f64> = (0..21)
        .map(|_| {
            let shape = Shape::new(1, 1, 2 * SECTIONS);
            let witness = Witness::new(shape).expect("memory");
            for _ in 0..SECTIONS {
                drop(witness.enter(0)); // touches the pages, like the first of two runs
            }
            let witness = Witness::new(shape).expect("memory");
            let start = Instant::now();
            for _ in 0..SECTIONS {
                drop(black_box(witness.enter(0)));
            }
            start.elapsed().as_nanos() as f64 / SECTIONS as f64
        })
        .collect();
    costs.sort_by(f64::total_cmp);
    println!(
        "recording a section costs {:.0} ns (quartiles {:.0} to {:.0}, first page faults included)",
        costs[10], costs[5], costs[15]
    );
}

fn start_of_workers() {
    let mut times: Vec<f64> = (0..11)
        .map(|_| {
            let start = Instant::now();
            let report = Stress::new().processes(64).sections(1).run(|worker| {
                if worker.number() == 0 {
                    worker.section(|| ());
                }
            });
            assert_eq!(report.sections(), 1);
            start.elapsed().as_secs_f64() * 1e3
        })
        .collect();
    times.sort_by(f64::total_cmp);
    println!(
        "64 workers start, enter a section and exit within {:.0} ms (median; maximum {:.0})",
        times[5], times[10]
    );
}

fn cost_of_checking() {
    const EVENTS: u64 = 10_000_000;
    const WORKERS: u32 = 8;
    let kinds = [
        EventKind::Requested {
            mode: Mode::Exclusive,
            limit: WaitLimit::Forever,
        },
        EventKind::Acquired,
        EventKind::Releasing,
        EventKind::Released,
    ];
    let mut logs = vec![Vec::new(); WORKERS as usize];
    for number in 0..EVENTS / 4 {
        let worker = (number % u64::from(WORKERS)) as u32;
        for (step, kind) in (0..).zip(kinds) {
            let time = number * 4 + step;
            logs[worker as usize].push(Event { time, worker, kind });
        }
    }
    let before = peak_memory();
    let start = Instant::now();
    let history = merge(&logs);
    let merged = start.elapsed();
    let findings = check(&history, &Promises::default());
    assert!(findings.exclusion.is_held() && findings.refusals.is_held());
    println!(
        "checking {EVENTS} events: {:.2} s, of which {:.2} s to merge 8 logs; {} bytes per event, logs included",
        start.elapsed().as_secs_f64(),
        merged.as_secs_f64(),
        (peak_memory() - before) / EVENTS + size_of::<Event>() as u64
    );
}

/// The peak memory of the process, in bytes (VmHWM in proc(5)).
fn peak_memory() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let peak = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
    let kilobytes = peak.and_then(|peak| peak.split_whitespace().next()?.parse::<u64>().ok());
    kilobytes.unwrap_or(0) * 1024
}
