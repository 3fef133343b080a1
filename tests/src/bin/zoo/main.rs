//! Runs `cargo lockutils stress` on every lock of `tests/zoo/zoo.toml` and prints what was expected beside what was found.
//!
//! What the locks need is installed from the public registries below the target folder; servers run on loopback, with a temporary
//! data folder, as long as the zoo is open. With `--explore`, it runs `explore` on those of which the table says what that is to find. With `--calm`, only what truly holds is tried, for 60 s each: any other verdict is a false alarm.

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
    /// For how long each lock is tried, or with --explore each scenario at most
    #[arg(long)]
    duration: Option<String>,
    /// Try what truly holds, for 60 s each
    #[arg(long)]
    calm: bool,
    /// Explore interleavings instead, where the table says what is to be found
    #[arg(long)]
    explore: bool,
    /// Schedules of each scenario at most, with --explore
    #[arg(long, default_value_t = 5000)]
    schedules: usize,
    /// Of the first lock; the next ones count up
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
        let card = try_lock(lock, &options, seed, &mut tools).with_context(|| lock.name.clone())?;
        let row = Row::new(lock, &card, options.calm);
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
