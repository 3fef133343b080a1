//! Our own locks under random programs, bounded by time, with invariants that are checked after
//! each round.
//!
//! `cargo run --release -p lockutils-tests --bin soak -- [--seconds N] [--seed S] [--round R]
//! [--only KIND] [--python]`
//!
//! A round follows from its seed, which combines the seed of the run and the number of the round.
//! When its workers rest, none is inside and none waits; then a process that never locked anything
//! asks the kernel about each file. The invariants:
//!
//! * no two workers were in a section at once;
//! * every acquire returns, and so does every forked child;
//! * a thread that requests a lock it holds gets `WouldDeadlock`;
//! * with no worker inside and none waiting, every file and every lock between threads is free.

mod board;
mod chaos;
mod duel;
mod forks;
mod juggle;
mod nest;
mod random;
mod round;

use std::process::ExitCode;
use std::time::{Duration, Instant};

use anyhow::{Context, bail};

use round::{Kind, Round};

fn main() -> anyhow::Result<ExitCode> {
    let mut seconds = 60;
    let mut seed = std::time::SystemTime::UNIX_EPOCH.elapsed()?.as_nanos() as u64;
    let (mut first, mut only, mut with_python) = (0, None, false);
    let mut arguments = std::env::args().skip(1);
    while let Some(argument) = arguments.next() {
        let mut value = || {
            arguments
                .next()
                .context(format!("{argument} needs a value"))
        };
        match argument.as_str() {
            "--seconds" => seconds = value()?.parse()?,
            "--seed" => {
                let text = value()?;
                seed = u64::from_str_radix(text.trim_start_matches("0x"), 16)?;
            }
            "--round" => first = value()?.parse()?,
            "--only" => only = Some(Kind::named(&value()?)?),
            "--python" => with_python = true,
            _ => bail!("{argument} is no option of soak"),
        }
    }
    let python = with_python.then(lockutils_tests::python::interpreter);
    println!("soak: {seconds} s, seed {seed:#x}");
    let began = Instant::now();
    let mut rounds = 0u64;
    let mut number = first;
    while began.elapsed() < Duration::from_secs(seconds) {
        let round = Round::new(seed, number, only, python.clone())?;
        let name = round.kind.name();
        if let Err(finding) = round.run() {
            println!(
                "soak: found after {:.1} s in round {number} ({name}): {finding:#}\n\
                 soak: again: ci/soak --seed {seed:#x} --round {number}{}",
                began.elapsed().as_secs_f64(),
                only.map_or_else(String::new, |kind| format!(" --only {}", kind.name())),
            );
            return Ok(ExitCode::FAILURE);
        }
        rounds += 1;
        number += 1;
    }
    println!(
        "soak: nothing found in {rounds} rounds, {:.0} s",
        began.elapsed().as_secs_f64()
    );
    Ok(ExitCode::SUCCESS)
}
