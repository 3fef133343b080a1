//! The card for a terminal, with colours that the caller may strip.

mod drawing;
mod line;

use std::fmt::Write;

use anstyle::{AnsiColor, Style};

use crate::model::{Outcome, Quoted, Report, Verdict};

use drawing::drawing;
pub use line::counted;
use line::{INDENT, Line, count, time};

const GOOD: Style = AnsiColor::Green.on_default().bold();
const BAD: Style = AnsiColor::Red.on_default().bold();
const DOUBTFUL: Style = AnsiColor::Yellow.on_default();
const FAINT: Style = Style::new().dimmed();
const STRONG: Style = Style::new().bold();

const SEPARATOR: &str = " · ";

fn style(word: Verdict) -> Style {
    match word {
        Verdict::Held => GOOD,
        Verdict::Broken | Verdict::Stuck | Verdict::Starved | Verdict::WrongAnswer => BAD,
        Verdict::Errors | Verdict::LeaseExpired => DOUBTFUL,
        Verdict::NotKnown => FAINT,
    }
}

fn mark(word: Verdict) -> char {
    match word {
        Verdict::Held => '✔',
        Verdict::Broken | Verdict::Stuck | Verdict::Starved | Verdict::WrongAnswer => '✘',
        Verdict::Errors | Verdict::LeaseExpired => '!',
        Verdict::NotKnown => '-',
    }
}

/// What is tried, and how; before anything has run.
pub fn headline(lock: &str, options: &crate::stress::Options) -> String {
    let hold = time(options.hold.as_nanos() as f64 / 1e3);
    let lease = options.lease.map_or_else(String::new, |lease| {
        format!(", lease {}", time(lease.as_micros() as f64))
    });
    format!(
        "{STRONG}{lock}{STRONG:#}\n{FAINT}{} processes, sections of up to {hold}{lease}, seed {:#x}{FAINT:#}\n",
        options.processes, options.seed
    )
}

/// How the verdict is shown: softer, if it does not count.
fn shown(outcome: &Outcome) -> (Style, char, String) {
    let word = outcome.verdict;
    match outcome.counts {
        false if mark(word) == '✘' => (DOUBTFUL, '!', word.text().to_lowercase()),
        _ => (style(word), mark(word), word.text().to_owned()),
    }
}

/// The line of one scenario; several, if it is to be no wider than this.
pub fn outcome_line(outcome: &Outcome, width: Option<usize>) -> String {
    let word = outcome.verdict;
    let (style, mark, text) = shown(outcome);
    let name = match outcome.counts {
        true => outcome.scenario.to_owned(),
        false => format!("({})", outcome.scenario),
    };
    let mut line = Line {
        text: format!("{style}{mark} {name:<15}{text:<14}{style:#}"),
        column: INDENT,
        width: width.unwrap_or(usize::MAX),
    };
    if outcome.sections == 0 || word == Verdict::NotKnown {
        let reason = outcome.reason.as_deref().unwrap_or("nobody got the lock");
        reason
            .split(' ')
            .for_each(|word| line.add(" ", word, Style::new()));
        return line.text;
    }
    let rate = outcome.sections as f64 / outcome.seconds.max(1e-9);
    line.add(
        SEPARATOR,
        &format!(
            "{}, {}/s",
            counted(outcome.sections, "sections"),
            count(rate as u64)
        ),
        Style::new(),
    );
    if outcome.overlaps + outcome.expiries > 0 {
        let overlaps = outcome.overlaps.max(outcome.expiries);
        line.add(SEPARATOR, &counted(overlaps, "overlaps"), STRONG);
    }
    for fault in &outcome.faults {
        line.add(SEPARATOR, &counted(fault.count, fault.name), Style::new());
    }
    let errors: u64 = outcome.errors.iter().map(|error| error.count).sum();
    if errors > 0 {
        line.add(SEPARATOR, &counted(errors, "errors"), Style::new());
    }
    if let Some(waits) = &outcome.waits {
        let waits = format!(
            "wait {} median, {} p99, {} max",
            time(waits.p50_us),
            time(waits.p99_us),
            time(waits.max_us)
        );
        line.add(SEPARATOR, &waits, Style::new());
    }
    line.text
}

/// What stands below the card about one scenario: the evidence, if there is any.
pub fn story(outcome: &Outcome) -> Option<String> {
    if outcome.verdict == Verdict::Held && outcome.errors.is_empty() && outcome.notes.is_empty() {
        return None;
    }
    if outcome.sections == 0 && outcome.errors.is_empty() && outcome.notes.is_empty() {
        return None;
    }
    let (style, _, verdict) = shown(outcome);
    let mut text = format!(
        "{style}{}: {verdict}{style:#}  {FAINT}{}{FAINT:#}\n",
        outcome.scenario, outcome.meaning
    );
    if let Some(reason) = &outcome.reason {
        let _ = writeln!(text, "  {reason}");
    }
    if let Some(overlap) = &outcome.first_overlap {
        text += &drawing(outcome, overlap);
    }
    quote(&mut text, "errors", &outcome.errors);
    quote(&mut text, "noticed", &outcome.notes);
    if outcome.verdict != Verdict::Held {
        if outcome.verdict != Verdict::NotKnown
            && let (Some(hand), Some(fairness)) = (&outcome.hand_overs, outcome.fairness)
        {
            let _ = writeln!(
                text,
                "  {FAINT}hand-over {} median, fairness {fairness:.2} of 1{FAINT:#}",
                time(hand.p50_us)
            );
        }
        let _ = writeln!(text, "  again: {}", outcome.again);
    }
    Some(text)
}

fn quote(text: &mut String, what: &str, all: &[Quoted]) {
    if all.is_empty() {
        return;
    }
    let _ = writeln!(text, "  {what}:");
    for quoted in all {
        let times = match quoted.count {
            1 => String::new(),
            times => format!("{FAINT}{} times:{FAINT:#} ", count(times)),
        };
        let _ = writeln!(text, "    {times}{}", quoted.text);
    }
}

/// The last line: what all comes to.
pub fn verdict_line(card: &Report) -> String {
    let style = style(card.verdict);
    let worst: Vec<&str> = card
        .outcomes
        .iter()
        .filter(|outcome| outcome.counts && outcome.verdict == card.verdict)
        .map(|outcome| outcome.scenario)
        .collect();
    let hazards: Vec<String> = card
        .outcomes
        .iter()
        .filter(|outcome| {
            !outcome.counts && !matches!(outcome.verdict, Verdict::Held | Verdict::NotKnown)
        })
        .map(|outcome| {
            format!(
                "{} under {}",
                outcome.verdict.text().to_lowercase(),
                outcome.scenario
            )
        })
        .collect();
    let sections: u64 = card.outcomes.iter().map(|outcome| outcome.sections).sum();
    let what = match card.verdict {
        Verdict::Held => format!(
            "in all that was tried: {} sections in {:.0} s",
            count(sections),
            card.seconds
        ),
        Verdict::NotKnown => "whether the lock holds could not be tried".to_owned(),
        _ => format!("under {}", worst.join(", ")),
    };
    let mut line = format!("{style}{}{style:#} {what}", card.verdict.text());
    if !hazards.is_empty() {
        let but = match card.verdict {
            Verdict::Held | Verdict::NotKnown => "but",
            _ => "also",
        };
        line += &format!("; {but} {}", hazards.join(", "));
    }
    if card.interrupted {
        line += "; interrupted before everything was tried";
    }
    if card.outcomes.iter().any(|outcome| !outcome.counts) {
        line += &format!(
            "\n{FAINT}(in brackets: hazards, which count only when named or with --deny-hazards){FAINT:#}"
        );
    }
    line
}

/// Without colours.
#[cfg(test)]
fn plain(text: &str) -> String {
    let mut left = String::new();
    let mut escape = false;
    for c in text.chars() {
        match c {
            '\u{1b}' => escape = true,
            'm' if escape => escape = false,
            c if !escape => left.push(c),
            _ => {}
        }
    }
    left
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_goes_on_below_itself_where_it_would_be_too_wide() {
        let mut outcome = Outcome {
            sections: 5_067,
            seconds: 1.0,
            overlaps: 1,
            verdict: Verdict::Broken,
            reason: None,
            ..Outcome::not_known(
                crate::model::Scenario::Die,
                true,
                String::new(),
                String::new(),
            )
        };
        outcome.faults = ["kills", "long pauses", "forks that exit", "wrappers killed"]
            .map(|name| crate::model::FaultCount { name, count: 1 })
            .into();
        let whole = plain(&outcome_line(&outcome, None));
        assert!(
            whole.ends_with("5,067 sections, 5,067/s · 1 overlap · 1 kill · 1 long pause · 1 fork that exits · 1 wrapper killed"),
            "{whole}"
        );
        for width in [60, 80, 100] {
            let text = plain(&outcome_line(&outcome, Some(width)));
            let (first, rest) = text.split_once('\n').unwrap();
            assert!(first.starts_with("✘ die            BROKEN        5,067"));
            for line in text.lines() {
                assert!(line.chars().count() <= width, "{line}");
            }
            assert!(
                rest.lines()
                    .all(|line| line.starts_with(&" ".repeat(INDENT)))
            );
            let parts = |text: &str| text.split([' ', '·', '\n']).collect::<String>();
            assert_eq!(parts(&text), parts(&whole));
        }
    }

    #[test]
    fn what_is_not_known_says_why() {
        let outcome = Outcome {
            sections: 12,
            ..Outcome::not_known(
                crate::model::Scenario::Unlink,
                false,
                "the lock keeps no file".into(),
                String::new(),
            )
        };
        let line = plain(&outcome_line(&outcome, Some(80)));
        assert!(line.ends_with("the lock keeps no file"), "{line}");
    }
}
