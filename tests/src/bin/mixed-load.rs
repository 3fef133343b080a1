//! Prints a table of the throughput of two processes of Python's oslo.concurrency beside two of
//! ours on the same lock, by the way in which ours use it.

use std::io::Read;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use anyhow::Context;
use lockutils_tests::python;
use oslo_concurrency::lockutils;

const OF_EACH: usize = 2;
const SECONDS: &str = "5";

/// The uses of the lock on our side: name in the table, fairness, and pause between two sections.
const USES: [(&str, bool, Duration); 5] = [
    ("at once", false, Duration::ZERO),
    ("at once, `fair`", true, Duration::ZERO),
    ("after 100 µs", false, Duration::from_micros(100)),
    ("after 1 ms", false, Duration::from_millis(1)),
    ("after 10 ms", false, Duration::from_millis(10)),
];

fn main() -> anyhow::Result<()> {
    if let Some(which) = std::env::args().nth(1) {
        return use_it(USES[which.parse::<usize>()?]);
    }
    println!(
        "{OF_EACH} processes of each, {SECONDS} s, empty sections\n\n\
         | our processes reacquire the lock | acquisitions a second, ours | Python's | longest wait, ours | Python's |\n|---|---|---|---|---|"
    );
    measure("never (none are running)", None)?;
    for (number, (name, ..)) in USES.iter().enumerate() {
        measure(name, Some(number))?;
    }
    Ok(())
}

fn measure(name: &str, ours: Option<usize>) -> anyhow::Result<()> {
    let directory = tempfile::tempdir()?;
    let us = std::env::current_exe()?;
    let ours = match ours {
        None => Vec::new(),
        Some(which) => start(directory.path(), || {
            let mut command = Command::new(&us);
            command.arg(which.to_string());
            command
        })?,
    };
    let interpreter = python::interpreter();
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("python/counting_worker.py");
    let theirs = start(directory.path(), || {
        let mut command = Command::new(&interpreter);
        command.arg(&script).arg(SECONDS);
        command
    })?;
    let theirs = Share::of(theirs)?; // ours continue until Python's have ended
    let ours = Share::of(ours)?;
    println!(
        "| {name} | {:.0} | {:.0} | {:.1} ms | {:.1} ms |",
        ours.a_second, theirs.a_second, ours.longest_ms, theirs.longest_ms
    );
    Ok(())
}

fn start(lock_path: &Path, command: impl Fn() -> Command) -> anyhow::Result<Vec<Child>> {
    let start_one = |_| -> anyhow::Result<Child> {
        let mut command = command();
        command.env("OSLO_LOCK_PATH", lock_path);
        command.stdin(Stdio::piped()).stdout(Stdio::piped());
        Ok(command.spawn()?)
    };
    (0..OF_EACH).map(start_one).collect()
}

/// The throughput of the processes of one side.
#[derive(Default)]
struct Share {
    a_second: f64,
    longest_ms: f64,
}

impl Share {
    fn of(processes: Vec<Child>) -> anyhow::Result<Self> {
        let mut share = Share::default();
        for process in processes {
            let output = process.wait_with_output()?;
            let said = String::from_utf8(output.stdout)?;
            let (rate, longest) = said.trim().split_once(' ').context("rate and wait")?;
            share.a_second += rate.parse::<f64>()?;
            share.longest_ms = share.longest_ms.max(longest.parse()?);
        }
        Ok(share)
    }
}

fn use_it((_, fair, pause): (&str, bool, Duration)) -> anyhow::Result<()> {
    let lock = lockutils::lock("mixed").external(true).fair(fair);
    let told_to_stop = AtomicBool::new(false);
    let began = Instant::now();
    let (mut count, mut longest) = (0_u64, Duration::ZERO);
    std::thread::scope(|scope| {
        scope.spawn(|| {
            let _ = std::io::stdin().read(&mut [0]);
            told_to_stop.store(true, Ordering::Relaxed);
        });
        while !told_to_stop.load(Ordering::Relaxed) {
            let asked = Instant::now();
            lock.run(|| longest = longest.max(asked.elapsed()))?;
            count += 1;
            if !pause.is_zero() {
                std::thread::sleep(pause);
            }
        }
        Ok::<(), lockutils::Error>(())
    })?;
    let rate = count as f64 / began.elapsed().as_secs_f64();
    println!("{rate} {}", longest.as_secs_f64() * 1e3);
    Ok(())
}
