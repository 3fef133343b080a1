//! A thousand locks that one process holds.

use std::fs;
use std::time::{Duration, Instant};

use anyhow::Result;
use nix::sys::resource::{UsageWho, getrusage};
use nix::sys::time::TimeValLike;
use oslo_coordination::Coordinator;

use crate::Engine;

const LOCKS: usize = 1_000;
const WATCHED: Duration = Duration::from_secs(20);

pub fn print(engine: &Engine) -> Result<()> {
    let coordinator = Coordinator::connect(&engine.url)?;
    let began = Instant::now();
    let guards: Vec<_> = (0..LOCKS)
        .map(|number| coordinator.lock(&format!("many-{number}")).acquire())
        .collect::<Result<_, _>>()?;
    let acquired = began.elapsed();
    let used = processor_time()?;
    std::thread::sleep(WATCHED);
    let used = processor_time()? - used;
    let lost = guards.iter().filter(|guard| guard.lost()).count();
    println!(
        "{LOCKS} locks: acquired in {:.2} s; held for {} s with {:.2}% of a core, below 1%; connections {}; lost {lost}",
        acquired.as_secs_f64(),
        WATCHED.as_secs(),
        100.0 * used.as_secs_f64() / WATCHED.as_secs_f64(),
        connections(engine.server.port())?,
    );
    Ok(())
}

fn processor_time() -> Result<Duration> {
    let usage = getrusage(UsageWho::RUSAGE_SELF)?;
    let micros = usage.user_time().num_microseconds() + usage.system_time().num_microseconds();
    Ok(Duration::from_micros(micros.try_into()?))
}

/// The connections of this host's clients to a port on loopback that are open.
fn connections(port: u16) -> Result<usize> {
    let remote = format!("0100007F:{port:04X}");
    let table = fs::read_to_string("/proc/self/net/tcp")?;
    let open = table.lines().filter(|line| {
        let words: Vec<&str> = line.split_whitespace().collect();
        words.get(2) == Some(&remote.as_str()) && words.get(3) == Some(&"01")
    });
    Ok(open.count())
}
