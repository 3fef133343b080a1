//! What an exploration has come to, for people.

use std::fmt::Write as _;

use clap::builder::styling::{AnsiColor, Style};
use lockutils_harness::explore::story::story;
use lockutils_harness::explore::{End, Found, switches};
use lockutils_harness::report::Word;

pub const GOOD: Style = AnsiColor::Green.on_default().bold();
pub const BAD: Style = AnsiColor::Red.on_default().bold();
const DOUBTFUL: Style = AnsiColor::Yellow.on_default();
const FAINT: Style = Style::new().dimmed();

/// What a schedule comes to, as a verdict.
pub fn word(end: &End) -> Word {
    match end {
        End::Overlap { .. } => Word::Broken,
        End::Stuck(_) => Word::Stuck,
        End::Clean | End::LeaseExpired | End::Polls | End::Known => Word::Held,
        End::Failed(_) => Word::NotKnown,
    }
}

/// A line, and what was found.
pub fn told(found: &Found) -> String {
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
pub fn in_short(story: &str) -> String {
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
