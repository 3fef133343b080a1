//! Runs `cargo lockutils stress` on every lock of `tests/zoo/zoo.toml` and prints the expected
//! beside the found results.
//!
//! Dependencies of the locks are installed from the public registries below the target folder.
//! Servers run on loopback with temporary data folders while the zoo runs. With `--explore`, it
//! runs `explore` on the locks for which the table has an expectation. With `--calm`, it tests only
//! locks and scenarios that truly hold, for 60 s each: any other verdict is a false alarm.

mod explored;
mod install;
mod servers;
mod table;

use std::path::Path;
use std::process::{Command, ExitCode};
use std::time::Instant;

use anyhow::{Context, Result};
use clap::Parser;
use serde_json::Value;

use install::Tools;
use table::{Lock, Row};

#[derive(Parser)]
struct Options {
    /// Only locks whose name contains this
    only: Option<String>,
    /// Time limit for each lock, or with --explore for each scenario
    #[arg(long)]
    duration: Option<String>,
    /// Test only what truly holds, for 60 s each
    #[arg(long)]
    calm: bool,
    /// Explore interleavings instead, where the table has an expectation
    #[arg(long)]
    explore: bool,
    /// Explore only this scenario, with --explore
    #[arg(long)]
    scenario: Option<String>,
    /// Maximum number of schedules per scenario, with --explore
    #[arg(long, default_value_t = 5000)]
    schedules: usize,
    /// Seed of the first lock; the next ones count up
    #[arg(long, default_value_t = 1)]
    seed: u64,
}

fn main() -> Result<ExitCode> {
    let options = Options::parse();
    let began = Instant::now();
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("zoo");
    let locks: Vec<Lock> = table::read(&folder.join("zoo.toml"))?
        .into_iter()
        .filter(|lock| match options.explore {
            true => !lock.explore.is_empty(),
            false => lock.is_stressed(),
        })
        .filter(|lock| {
            options
                .only
                .as_ref()
                .is_none_or(|only| lock.name.contains(only))
        })
        .collect();
    let mut tools = Tools::new(&folder)?;
    let mut wrong = Vec::new();
    if options.explore {
        return explored::all(&locks, &mut tools, &options);
    }
    for (lock, seed) in locks.iter().zip(options.seed..) {
        let report =
            try_lock(lock, &options, seed, &mut tools).with_context(|| lock.name.clone())?;
        let row = Row::new(lock, &report, options.calm);
        print!("{row}");
        wrong.extend(row.wrong().map(|what| format!("{}: {what}", lock.name)));
    }
    println!(
        "{} locks in {:.0} s",
        locks.len(),
        began.elapsed().as_secs_f64()
    );
    for line in &wrong {
        println!("WRONG {line}");
    }
    Ok(ExitCode::from(u8::from(
        !wrong.is_empty() || locks.is_empty(),
    )))
}

fn try_lock(lock: &Lock, options: &Options, seed: u64, tools: &mut Tools) -> Result<Value> {
    let mut command = Command::new(tools.command());
    command.args(["stress", "--json", "--seed", &seed.to_string()]);
    let default = if options.calm { "60s" } else { "16s" };
    command.args(["--duration", options.duration.as_deref().unwrap_or(default)]);
    if options.calm {
        for scenario in lock.calm() {
            command.args(["--scenario", scenario]);
        }
    }
    command.args(lock.options());
    tools.provide(lock, &mut command)?;
    let output = command.output()?;
    serde_json::from_slice(&output.stdout)
        .with_context(|| format!("{command:?}: {}", String::from_utf8_lossy(&output.stderr)))
}
