//! The time from a release to the acquire of one of four waiters.

use anyhow::{Context, Result, ensure};
use lockutils_tests::conversation::Conversation;
use lockutils_tests::tooz;

use crate::Engine;
use crate::measure::{Spread, nanoseconds_each};

/// One holds the lock, and the others wait.
const PROCESSES: usize = 5;
/// Sections of each, long enough for the others to wait.
const TURNS: usize = 40;
const HOLD_MS: u64 = 20;

pub fn print(engine: &Engine) -> Result<()> {
    let mut peer = (engine.connect)(engine.server.port())?;
    let round_trip = Spread::of(
        (0..200).map(|_| nanoseconds_each(1, || peer.round_trip().expect("an answer")) / 1e6),
    );
    let ours = (0..PROCESSES).map(|_| {
        let worker = std::env::current_exe()?.with_file_name("coordination-worker");
        let mut command = std::process::Command::new(&worker);
        command.arg(&engine.url);
        ensure!(
            worker.exists(),
            "build it as well: cargo build --release -p lockutils-tests --bins"
        );
        Ok(Conversation::start(command))
    });
    let ours = measure(ours.collect::<Result<_>>()?)?;
    let theirs = measure((0..PROCESSES).map(|_| tooz::worker(&engine.url)).collect())?;
    for (what, figures) in [("hand-over", &ours), ("hand-over of tooz 9.1", &theirs)] {
        println!(
            "{what:<46} {:.2} ms median, {:.2} p25, {:.2} p75, {:.1} p95, {:.1} max",
            figures.median(),
            figures.quantile(0.25),
            figures.quantile(0.75),
            figures.quantile(0.95),
            figures.quantile(1.0),
        );
    }
    println!(
        "  bound: two round trips of {:.3} ms and 1 ms, {:.2} ms",
        round_trip.median(),
        2.0 * round_trip.median() + 1.0
    );
    Ok(())
}

/// Milliseconds of each hand-over to another process.
fn measure(mut workers: Vec<Conversation>) -> Result<Spread> {
    for worker in &mut workers {
        worker.send(&format!("turns contended {TURNS} {HOLD_MS}"));
    }
    // Nanoseconds of CLOCK_MONOTONIC: acquired, about to release, the worker.
    let mut turns: Vec<(u64, u64, usize)> = Vec::new();
    for (number, worker) in workers.iter().enumerate() {
        let answer = worker.answer();
        for turn in answer.split(' ') {
            let (acquired, released) = turn.split_once('-').with_context(|| answer.clone())?;
            turns.push((acquired.parse()?, released.parse()?, number));
        }
    }
    turns.sort_unstable();
    // The first ones have no waiters yet, the last ones none any more.
    let hand_overs = turns.windows(2).skip(PROCESSES);
    let between = hand_overs
        .filter(|pair| pair[0].2 != pair[1].2)
        .map(|pair| pair[1].0.saturating_sub(pair[0].1) as f64 / 1e6);
    let between: Vec<f64> = between.collect();
    ensure!(!between.is_empty(), "one process kept the lock");
    Ok(Spread::of(between))
}
