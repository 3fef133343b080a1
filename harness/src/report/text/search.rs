//! A scenario that was explored.

use std::fmt::Write as _;

use super::line::counted;
use super::steps::steps;
use super::style::{BAD, DOUBTFUL, FAINT, GOOD};
use crate::model::{Outcome, Search, Verdict};

/// The result: a line, and details below it.
pub fn lines(outcome: &Outcome, search: &Search) -> String {
    let mut out = String::new();
    let rate = search.schedules as f64 / outcome.seconds.max(1e-9);
    let digits = usize::from(rate < 10.0);
    let tried = format!(
        "{} of {} in {:.1} s, {rate:.digits$}/s",
        counted(search.schedules as u64, "schedules"),
        counted(search.workers as u64, "workers"),
        outcome.seconds
    );
    let name = outcome.scenario.word();
    let verdict = outcome.verdict;
    match &search.counterexample {
        None => {
            let (style, mark, what) = match verdict {
                Verdict::Held => (GOOD, '✔', "no violation found"),
                Verdict::NotKnown => (FAINT, '-', "not known"),
                verdict => (DOUBTFUL, '~', verdict.text()),
            };
            let complete = match (&search.complete, verdict) {
                (_, Verdict::NotKnown) | (None, _) => String::new(),
                (Some(complete), _) => format!(", {complete}"),
            };
            let _ = writeln!(
                out,
                "{style}{mark} {name:<9} {what}{style:#}: {tried}{complete}"
            );
            if let Some(reason) = &outcome.reason {
                let _ = writeln!(out, "  {DOUBTFUL}{reason}{DOUBTFUL:#}");
            }
            if search.expiries > 0 {
                let schedules = counted(search.expiries as u64, "schedules");
                let _ = writeln!(
                    out,
                    "  {DOUBTFUL}in {schedules}, the lease had expired{DOUBTFUL:#}"
                );
            }
        }
        Some(found) => {
            let verdict = verdict.text();
            let _ = writeln!(
                out,
                "{BAD}✘ {name:<9} {verdict}{BAD:#} after {tried}\n  {}, {}; {} of {} replays \
                 gave the same result",
                counted(found.switches as u64, "switches"),
                counted(found.steps.len() as u64, "steps"),
                found.same,
                found.runs
            );
            let all = steps(&found.steps, &found.ending);
            let _ = writeln!(out, "{}", steps_in_short(&all));
        }
    }
    if search.rest_ms > 0 {
        let _ = writeln!(
            out,
            "  {:.1} s of real time passed before each schedule, because the lock reads file times \
             that cannot be set back",
            search.rest_ms as f64 / 1e3
        );
    }
    // One of them showed that the settle time is needed.
    if search.polls > usize::from(search.rest_ms > 0) && verdict != Verdict::NotKnown {
        let _ = writeln!(
            out,
            "  {DOUBTFUL}in {} of them, all waiters kept polling in vain:{DOUBTFUL:#} `stress` \
             finds out whether the lock is then stuck",
            search.polls
        );
    }
    for error in &outcome.errors {
        let times = counted(error.count, "times");
        let _ = writeln!(out, "  {DOUBTFUL}{times}:{DOUBTFUL:#} {}", error.text);
    }
    for note in &outcome.notes {
        let _ = writeln!(out, "  {DOUBTFUL}{}{DOUBTFUL:#}", note.text);
    }
    out
}

/// The steps without repetitions, and without the middle if that is still too long; the file has
/// all of them.
pub fn steps_in_short(steps: &str) -> String {
    const LINES: usize = 30;
    let lines = without_repetitions(steps.trim_end());
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

/// Shows lines that repeat in the same order only once, with the number of repetitions.
fn without_repetitions(steps: &str) -> Vec<String> {
    const LONGEST: usize = 30;
    let lines: Vec<&str> = steps.lines().collect();
    let mut shown = Vec::new();
    let mut at = 0;
    while at < lines.len() {
        let saved = |length: usize| {
            let block = &lines[at..at + length];
            // A block does not begin among the steps of a worker.
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
        // The block that saves most lines; among equals, the shortest.
        let best = (1..=most)
            .map(saved)
            .max_by_key(|(saved, length)| (*saved, std::cmp::Reverse(*length)));
        match best {
            Some((saved, length)) if saved > length && saved > 3 => {
                shown.extend(lines[at..at + length].iter().map(|line| (*line).to_owned()));
                shown.push(format!("  … and the same {} times more …", saved / length));
                at += length + saved;
            }
            _ => {
                shown.push(lines[at].to_owned());
                at += 1;
            }
        }
    }
    shown
}

/// Returns `true` for the first of a worker's consecutive steps; the others are indented.
fn names_a_worker(line: &str) -> bool {
    line.strip_prefix("  ")
        .is_some_and(|line| !line.starts_with(' '))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn repeated_steps_are_shown_once() {
        let steps = "begin\na\nb\na\nb\na\nb\na\nb\nend\n";
        assert_eq!(
            steps_in_short(steps),
            "begin\na\nb\n  … and the same 3 times more …\nend"
        );
        let twice = "a\nb\nc\na\nb\nc";
        assert_eq!(steps_in_short(twice), twice);
        let long: Vec<String> = (0..100).map(|n| n.to_string()).collect();
        let short = steps_in_short(&long.join("\n"));
        assert!(short.contains("  … 40 steps …"), "{short}");
        assert_eq!(short.lines().count(), 61);
    }
}
