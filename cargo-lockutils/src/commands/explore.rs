//! `cargo lockutils explore` and `replay`: the interleaving in which two are in the section.

use std::fs;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use anstream::println;
use anyhow::{Context, Result, anyhow};
use clap::builder::styling::{AnsiColor, Style};
use lockutils_harness::explore::counterexample::Counterexample;
use lockutils_harness::explore::story::{ending, story};
use lockutils_harness::explore::{Budget, Choice, End, Found, Plot, Search, Trace, switches};
use lockutils_harness::foreign::protocol::Capability;
use lockutils_harness::foreign::{LockUnderTest, offers};
use lockutils_harness::report::Word;
use signal_hook::consts::{SIGINT, SIGTERM};

use crate::cli::{DirectoryOptions, ExploreOptions};
use crate::lock_directory::LockDirectory;
use crate::say;

const GOOD: Style = AnsiColor::Green.on_default().bold();
const BAD: Style = AnsiColor::Red.on_default().bold();
const DOUBTFUL: Style = AnsiColor::Yellow.on_default();
const FAINT: Style = Style::new().dimmed();

pub fn run(chosen: &ExploreOptions) -> Result<u8> {
    let lock = chosen.lock.lock()?;
    let seed = chosen.seed.unwrap_or_else(|| u64::from(std::process::id()));
    let interrupted = Arc::new(AtomicBool::new(false));
    for signal in [SIGINT, SIGTERM] {
        signal_hook::flag::register_conditional_default(signal, Arc::clone(&interrupted))?;
        signal_hook::flag::register(signal, Arc::clone(&interrupted))?;
    }
    let directory = LockDirectory::make(&DirectoryOptions::default())?;
    let result = explore(chosen, &lock, seed, directory.lock_path(), &interrupted);
    directory.finish(false, true)?;
    result
}

fn explore(
    chosen: &ExploreOptions,
    lock: &LockUnderTest,
    seed: u64,
    base: &Path,
    interrupted: &AtomicBool,
) -> Result<u8> {
    println!("{}", lock.title());
    let can = offers(lock, &base.join("first")).map_err(|why| anyhow!("{why}"))?;
    let plots: Vec<Plot> = match chosen.scenario.is_empty() {
        false => chosen.scenario.clone(),
        true => [Plot::Contend, Plot::Die, Plot::Respawn, Plot::Remove]
            .into_iter()
            .filter(|plot| *plot != Plot::Remove || can.has(Capability::Remove))
            .collect(),
    };
    let mut words = Vec::new();
    let shares = plots.len() as u32;
    for plot in plots {
        let search = Search {
            lock,
            plot,
            parties: chosen.parties.into(),
            rounds: chosen.rounds.into(),
            strategy: chosen.strategy,
            seed,
            lease: chosen.lock.lease,
            base: base.join(plot.word()),
        };
        let budget = Budget {
            time: chosen.budget / shares,
            schedules: chosen.schedules,
        };
        let stop = || interrupted.load(Ordering::Relaxed);
        let found = search
            .search(&budget, &stop)
            .map_err(|why| anyhow!("{}: {why}", plot.word()))?;
        print(&found);
        words.push(match &found.counterexample {
            Some(trace) => word(&trace.end),
            None if found.schedules == found.polls || found.problem.is_some() => Word::NotKnown,
            None => Word::Held,
        });
        if let Some(trace) = &found.counterexample {
            let example = Counterexample {
                lock: lock.arguments(),
                plot,
                parties: found.parties,
                rounds: search.rounds,
                seed,
                lease: chosen.lock.lease,
                choices: trace.choices(),
            };
            let file = chosen
                .save
                .clone()
                .unwrap_or_else(|| format!("lockutils-{}.txt", plot.word()).into());
            fs::write(&file, example.to_text(trace))
                .with_context(|| format!("{} cannot be written", file.display()))?;
            println!("  again: cargo lockutils replay {}\n", file.display());
        }
    }
    Ok(Word::worst(words).exit_status())
}

/// What a schedule comes to, as a verdict.
fn word(end: &End) -> Word {
    match end {
        End::Overlap { .. } => Word::Broken,
        End::Stuck(_) => Word::Stuck,
        End::Clean | End::LeaseExpired | End::Polls | End::Known => Word::Held,
        End::Failed(_) => Word::NotKnown,
    }
}

fn print(found: &Found) {
    let rate = found.schedules as f64 / found.seconds.max(1e-9);
    let tried = format!(
        "{} schedules of {} parties in {:.1} s, {rate:.0}/s",
        found.schedules, found.parties, found.seconds
    );
    let name = found.plot.word();
    match &found.counterexample {
        None if found.schedules == found.polls => {
            println!("{FAINT}- {name:<9} not known{FAINT:#}")
        }
        None => {
            let complete = match &found.complete {
                Some(complete) => format!(", {complete}"),
                None => String::new(),
            };
            println!("{GOOD}✔ {name:<9} nothing found{GOOD:#} {tried}{complete}");
            if found.expiries > 0 {
                println!(
                    "{DOUBTFUL}  {} times the lease had run out{DOUBTFUL:#}",
                    found.expiries
                );
            }
        }
        Some(trace) => {
            let word = match trace.end {
                End::Overlap { .. } => "BROKEN",
                _ => "stuck",
            };
            println!(
                "{BAD}✘ {name:<9} {word}{BAD:#} after {tried}; {} switches, {} steps, and {} of {} runs of it came to the same",
                switches(&trace.choices()),
                trace.choices().len(),
                found.replayed.0,
                found.replayed.1
            );
            println!("{}", in_short(&story(trace)));
        }
    }
    if found.polls > 0 {
        println!(
            "  {DOUBTFUL}in {} of them all waiters looked in vain again and again:{DOUBTFUL:#} `stress` tells whether the lock is stuck then",
            found.polls
        );
    }
    for error in &found.errors {
        println!(
            "  {DOUBTFUL}{} times:{DOUBTFUL:#} {}",
            error.count, error.text
        );
    }
    if let Some(problem) = &found.problem {
        println!("  {DOUBTFUL}a worker failed:{DOUBTFUL:#} {problem}");
    }
}

/// The beginning and the end of a story that is too long; the file has all of it.
fn in_short(story: &str) -> String {
    const LINES: usize = 30;
    let lines: Vec<&str> = story.trim_end().lines().collect();
    if lines.len() <= 2 * LINES {
        return lines.join("\n");
    }
    let left_out = lines.len() - 2 * LINES;
    format!(
        "{}\n  … {left_out} steps …\n{}",
        lines[..LINES].join("\n"),
        lines[lines.len() - LINES..].join("\n")
    )
}

/// `cargo lockutils replay`.
pub fn replay(file: &Path, times: usize) -> Result<u8> {
    let text = fs::read_to_string(file).with_context(|| file.display().to_string())?;
    let example = Counterexample::from_text(&text).with_context(|| file.display().to_string())?;
    let lock = example.lock(std::env::current_exe()?)?;
    let directory = LockDirectory::make(&DirectoryOptions::default())?;
    let traces = follow(&example, &lock, directory.lock_path(), times);
    directory.finish(false, true)?;
    let traces = traces.map_err(|why| anyhow!("{why}"))?;
    let broke = |trace: &&Trace| matches!(trace.end, End::Overlap { .. } | End::Stuck(_));
    let Some(last) = traces.iter().rev().find(broke).or(traces.last()) else {
        return Ok(2);
    };
    println!("{}\n{}", lock.title(), in_short(&story(last)));
    let broken = traces.iter().filter(broke).count();
    let same = traces
        .iter()
        .filter(|trace| trace.choices() == example.choices)
        .count();
    println!("{broken} of {times} runs came to it; {same} took exactly the steps of the file");
    if broken == 0 {
        say::note(
            "the lock does not follow this schedule into the same end any more: it was repaired, or is not deterministic",
        );
    }
    if let End::Failed(_) = &last.end {
        say::warning(ending(&last.end));
    }
    Ok(word(&last.end).exit_status())
}

fn follow(
    example: &Counterexample,
    lock: &LockUnderTest,
    base: &Path,
    times: usize,
) -> Result<Vec<Trace>, String> {
    let search = Search {
        lock,
        plot: example.plot,
        parties: example.parties,
        rounds: example.rounds,
        strategy: Choice::Mix,
        seed: example.seed,
        lease: example.lease,
        base: base.join(example.plot.word()),
    };
    let mut stage = search.stage()?;
    (0..times)
        .map(|_| search.follow(&mut stage, &example.choices))
        .collect()
}
