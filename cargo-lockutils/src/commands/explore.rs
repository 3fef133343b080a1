//! `cargo lockutils explore` and `replay`: the interleaving in which two are in the section.

use std::fmt::Write as _;
use std::fs;
use std::io::Write as _;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Instant;

use anstream::println;
use anyhow::{Context, Result, anyhow};
use clap::builder::styling::{AnsiColor, Style};
use lockutils_harness::explore::card::{Card, Outcome, SCHEMA};
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
    let say = |text: &str| match chosen.json {
        true => anstream::eprintln!("{text}"),
        false => println!("{text}"),
    };
    let began = Instant::now();
    say(&lock.title());
    let can = offers(lock, &base.join("first")).map_err(|why| anyhow!("{why}"))?;
    let plots: Vec<Plot> = match chosen.scenario.is_empty() {
        false => chosen.scenario.clone(),
        true => [Plot::Contend, Plot::Die, Plot::Respawn, Plot::Remove]
            .into_iter()
            .filter(|plot| *plot != Plot::Remove || can.has(Capability::Remove))
            .collect(),
    };
    let mut outcomes = Vec::new();
    let shares = plots.len() as u32;
    let stop = || interrupted.load(Ordering::Relaxed);
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
        let found = search
            .search(&budget, &stop)
            .map_err(|why| anyhow!("{}: {why}", plot.word()))?;
        say(text(&found).trim_end());
        outcomes.push(Outcome::new(&search, &found));
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
            fs::write(&file, example.to_text(trace)).with_context(|| cannot_write(&file))?;
            say(&format!(
                "  again: cargo lockutils replay {}\n",
                file.display()
            ));
        }
        if stop() {
            break;
        }
    }
    let verdict = Word::worst(outcomes.iter().map(|outcome| outcome.verdict));
    let card = Card {
        schema: SCHEMA,
        tool: env!("CARGO_PKG_VERSION"),
        title: lock.title(),
        arguments: lock.arguments(),
        seed: format!("{seed:#x}"),
        seconds: began.elapsed().as_secs_f64(),
        interrupted: stop(),
        verdict,
        exit_status: verdict.exit_status(),
        outcomes,
    };
    write_reports(&card, chosen)?;
    Ok(card.exit_status)
}

fn write_reports(card: &Card, chosen: &ExploreOptions) -> Result<()> {
    if chosen.json {
        let mut out = std::io::stdout().lock();
        serde_json::to_writer_pretty(&mut out, card)?;
        writeln!(out)?;
    }
    if let Some(file) = &chosen.junit {
        let xml = card
            .junit()
            .map_err(|why| anyhow!("the JUnit report: {why}"))?;
        fs::write(file, xml).with_context(|| cannot_write(file))?;
    }
    if let Some(file) = &chosen.html {
        fs::write(file, card.html()).with_context(|| cannot_write(file))?;
        say::note(format_args!("the page is {}", file.display()));
    }
    Ok(())
}

fn cannot_write(file: &Path) -> String {
    format!("{} cannot be written", file.display())
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

fn text(found: &Found) -> String {
    let mut out = String::new();
    let rate = found.schedules as f64 / found.seconds.max(1e-9);
    let tried = format!(
        "{} schedules of {} parties in {:.1} s, {rate:.0}/s",
        found.schedules, found.parties, found.seconds
    );
    let name = found.plot.word();
    match &found.counterexample {
        None if found.schedules == found.polls => {
            let _ = writeln!(out, "{FAINT}- {name:<9} not known{FAINT:#}");
        }
        None => {
            let complete = match &found.complete {
                Some(complete) => format!(", {complete}"),
                None => String::new(),
            };
            let _ = writeln!(
                out,
                "{GOOD}✔ {name:<9} nothing found{GOOD:#} {tried}{complete}"
            );
            if found.expiries > 0 {
                let _ = writeln!(
                    out,
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
            let _ = writeln!(
                out,
                "{BAD}✘ {name:<9} {word}{BAD:#} after {tried}; {} switches, {} steps, and {} of {} runs of it came to the same",
                switches(&trace.choices()),
                trace.choices().len(),
                found.replayed.0,
                found.replayed.1
            );
            let _ = writeln!(out, "{}", in_short(&story(trace)));
        }
    }
    if found.polls > 0 {
        let _ = writeln!(
            out,
            "  {DOUBTFUL}in {} of them all waiters looked in vain again and again:{DOUBTFUL:#} `stress` tells whether the lock is stuck then",
            found.polls
        );
    }
    for error in &found.errors {
        let _ = writeln!(
            out,
            "  {DOUBTFUL}{} times:{DOUBTFUL:#} {}",
            error.count, error.text
        );
    }
    if let Some(problem) = &found.problem {
        let _ = writeln!(out, "  {DOUBTFUL}a worker failed:{DOUBTFUL:#} {problem}");
    }
    out
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
