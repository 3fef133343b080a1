//! What an exploration has come to, for people.

use std::fmt::Write as _;

use clap::builder::styling::{AnsiColor, Style};
use lockutils_harness::explore::story::story;
use lockutils_harness::explore::{Budget, Found, Progress, Trace, switches};
use lockutils_harness::model::Scenario;
use lockutils_harness::model::Verdict;
use lockutils_harness::report::counted;

pub const GOOD: Style = AnsiColor::Green.on_default().bold();
pub const BAD: Style = AnsiColor::Red.on_default().bold();
const DOUBTFUL: Style = AnsiColor::Yellow.on_default();
const FAINT: Style = Style::new().dimmed();

/// What was found: a line, and more of them below it, none wider than this.
pub fn told(found: &Found, width: Option<usize>) -> String {
    folded(&all_told(found), width)
}

/// A story in lines that are not wider than this.
pub fn story_in_short(trace: &Trace, width: Option<usize>) -> String {
    folded(&in_short(&story(trace)), width)
}

fn folded(text: &str, width: Option<usize>) -> String {
    let Some(width) = width else {
        // A log has no width.
        return text.trim_end().to_owned();
    };
    let options = textwrap::Options::new(width)
        .subsequent_indent(BELOW)
        .break_words(false)
        .word_splitter(textwrap::WordSplitter::NoHyphenation);
    let lines = text.trim_end().lines();
    lines
        .map(|line| textwrap::fill(line, &options))
        .collect::<Vec<_>>()
        .join("\n")
}

/// Where a line goes on that is too wide.
const BELOW: &str = "            ";

fn all_told(found: &Found) -> String {
    let mut out = String::new();
    let rate = found.schedules as f64 / found.seconds.max(1e-9);
    let digits = usize::from(rate < 10.0);
    let tried = format!(
        "{} of {} parties in {:.1} s, {rate:.digits$}/s",
        counted(found.schedules as u64, "schedules"),
        found.parties,
        found.seconds
    );
    let name = found.plot.word();
    let verdict = found.verdict();
    match &found.counterexample {
        None => {
            let (style, sign, what) = match verdict {
                Verdict::Held => (GOOD, '✔', "nothing found"),
                Verdict::NotKnown => (FAINT, '-', "not known"),
                verdict => (DOUBTFUL, '~', verdict.text()),
            };
            let mut more = match (&found.complete, verdict) {
                (_, Verdict::NotKnown) | (None, _) => String::new(),
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
                    "  {DOUBTFUL}in {} the lease had run out{DOUBTFUL:#}",
                    counted(found.expiries as u64, "schedules")
                );
            }
        }
        Some(trace) => {
            let word = verdict.text();
            let _ = writeln!(
                out,
                "{BAD}✘ {name:<9} {word}{BAD:#} after {tried}\n  {}, {}; {} of {} runs of it came to the same",
                counted(switches(&trace.choices()) as u64, "switches"),
                counted(trace.choices().len() as u64, "steps"),
                found.replayed.0,
                found.replayed.1
            );
            let _ = writeln!(out, "{}", in_short(&story(trace)));
        }
    }
    if !found.rest.is_zero() {
        let _ = writeln!(
            out,
            "  before each, the dead holder was left for {:.1} s: the lock looks at times that cannot be set back",
            found.rest.as_secs_f64()
        );
    }
    // One of them showed that the rest is needed.
    if found.polls > usize::from(!found.rest.is_zero()) && verdict != Verdict::NotKnown {
        let _ = writeln!(
            out,
            "  {DOUBTFUL}in {} of them all waiters looked in vain again and again:{DOUBTFUL:#} `stress` tells whether the lock is stuck then",
            found.polls
        );
    }
    for error in &found.errors {
        let _ = writeln!(
            out,
            "  {DOUBTFUL}{}:{DOUBTFUL:#} {}",
            counted(error.count, "times"),
            error.text
        );
    }
    if let Some(problem) = &found.problem
        && verdict != Verdict::NotKnown
    {
        let _ = writeln!(out, "  {DOUBTFUL}a worker failed:{DOUBTFUL:#} {problem}");
    }
    out
}

/// How far a search is.
pub fn running(plot: Scenario, budget: &Budget, sofar: Progress) -> String {
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

/// A story without what is said again and again, and without the middle of what is too long still; the file has all of it.
fn in_short(story: &str) -> String {
    const LINES: usize = 30;
    let lines = without_repetitions(story.trim_end());
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

/// Lines that come once more, and once more, in the same order, are told once, and how often they come again.
fn without_repetitions(story: &str) -> Vec<String> {
    const LONGEST: usize = 30;
    let lines: Vec<&str> = story.lines().collect();
    let mut told = Vec::new();
    let mut at = 0;
    while at < lines.len() {
        let saved = |length: usize| {
            let block = &lines[at..at + length];
            // Not from the middle of what a worker does to the middle of it again.
            if !names_a_worker(block[0]) && block.iter().any(|line| names_a_worker(line)) {
                return (0, length);
            }
            let again = lines[at + length..]
                .chunks(length)
                .take_while(|next| *next == block)
                .count();
            (again * length, length)
        };
        let most = LONGEST.min((lines.len() - at) / 2);
        // The most lines, and of those that save the same the shortest block.
        let best = (1..=most)
            .map(saved)
            .max_by_key(|(saved, length)| (*saved, std::cmp::Reverse(*length)));
        match best {
            Some((saved, length)) if saved > length && saved > 3 => {
                told.extend(lines[at..at + length].iter().map(|line| (*line).to_owned()));
                told.push(format!("  … and the same {} times more …", saved / length));
                at += length + saved;
            }
            _ => {
                told.push(lines[at].to_owned());
                at += 1;
            }
        }
    }
    told
}

/// Where another worker goes on; what it does next is set in below.
fn names_a_worker(line: &str) -> bool {
    line.strip_prefix("  ")
        .is_some_and(|line| !line.starts_with(' '))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_comes_again_and_again_is_told_once() {
        let story = "begin\na\nb\na\nb\na\nb\na\nb\nend\n";
        assert_eq!(
            in_short(story),
            "begin\na\nb\n  … and the same 3 times more …\nend"
        );
        let twice = "a\nb\nc\na\nb\nc";
        assert_eq!(in_short(twice), twice);
        let long: Vec<String> = (0..100).map(|n| n.to_string()).collect();
        let short = in_short(&long.join("\n"));
        assert!(short.contains("  … 40 steps …"), "{short}");
        assert_eq!(short.lines().count(), 61);
    }
}
