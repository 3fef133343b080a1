//! What an exploration has come to, for people.

use std::fmt::Write as _;

use clap::builder::styling::{AnsiColor, Style};
use lockutils_harness::explore::story::story;
use lockutils_harness::explore::{Budget, End, Found, Plot, Sofar, switches};
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
        End::Failed(_) | End::Interrupted => Word::NotKnown,
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
    let verdict = found.verdict();
    match &found.counterexample {
        None => {
            let (style, sign, what) = match verdict {
                Word::Held => (GOOD, '✔', "nothing found"),
                Word::NotKnown => (FAINT, '-', "not known"),
                verdict => (DOUBTFUL, '~', verdict.text()),
            };
            let mut more = match (&found.complete, verdict) {
                (_, Word::NotKnown) | (None, _) => String::new(),
                (Some(complete), _) => format!(", {complete}"),
            };
            if found.interrupted {
                more += "; interrupted";
            }
            let _ = writeln!(out, "{style}{sign} {name:<9} {what}{style:#} {tried}{more}");
            if let Some(reason) = found.reason() {
                let _ = writeln!(out, "  {DOUBTFUL}{reason}{DOUBTFUL:#}");
            }
            if found.expiries > 0 {
                let _ = writeln!(
                    out,
                    "  {DOUBTFUL}{} times the lease had run out{DOUBTFUL:#}",
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
    if found.polls > 0 && verdict != Word::NotKnown {
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
    if let Some(problem) = &found.problem
        && verdict != Word::NotKnown
    {
        let _ = writeln!(out, "  {DOUBTFUL}a worker failed:{DOUBTFUL:#} {problem}");
    }
    out
}

/// How far a search is.
pub fn running(plot: Plot, budget: &Budget, sofar: Sofar) -> String {
    let doing = match sofar.shrinks {
        true => "; making shorter what was found",
        false => "",
    };
    format!(
        "{}: {:.1} of {:.1} s, {} of {} schedules{doing}",
        plot.word(),
        sofar.elapsed.as_secs_f64(),
        budget.time.as_secs_f64(),
        sofar.schedules,
        budget.schedules
    )
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
