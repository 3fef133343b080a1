//! The card of `promises`: each promise, and below it the trials that tried it.

use std::fmt::Write;

use clap::builder::styling::{AnsiColor, Style};
use oslo_coordination::Promises;

use crate::output::printable;
use crate::sys::Status;

const BOLD: Style = Style::new().bold();
const DIM: Style = Style::new().dimmed();
const GOOD: Style = AnsiColor::Green.on_default().bold();
const BAD: Style = AnsiColor::Red.on_default().bold();

/// Exit status if nothing was tried.
const NOT_TRIED: Status = 2;

/// Width without a terminal, and the most that is easy to read.
const WIDTH: usize = 80;
const WIDEST: usize = 100;
/// Width of the first column.
const ABOUT: usize = 20;

/// A trial and its outcome.
#[derive(Clone, Debug)]
#[cfg_attr(not(unix), allow(dead_code, reason = "nothing is tried there"))]
pub struct Tried {
    /// The row of the card: one of [`Promises::rows`], or a row of its own.
    pub row: &'static str,
    pub trial: &'static str,
    pub outcome: Outcome,
}

#[derive(Clone, Debug, PartialEq, Eq)]
#[cfg_attr(not(unix), allow(dead_code, reason = "nothing is tried there"))]
pub enum Outcome {
    Kept,
    /// Two workers held the lock at once.
    Overlap(String),
    Broken(String),
    NotTried(String),
}

pub fn of(promises: &Promises, tried: &[Tried]) -> String {
    let width = terminal_size::terminal_size_of(std::io::stdout())
        .map_or(WIDTH, |(width, _)| usize::from(width.0).clamp(50, WIDEST));
    let mut card = format!("{BOLD}{}{BOLD:#}\n", promises.engine);
    let mut rows: Vec<(&str, String)> = promises.rows().into();
    for trial in tried {
        if rows.iter().all(|(about, _)| *about != trial.row) {
            rows.push((trial.row, String::new()));
        }
    }
    for (about, promise) in &rows {
        let mut label = *about;
        for line in wrap(promise, width - ABOUT - 2) {
            row(&mut card, &mut label, &line);
        }
        for line in evidence(tried, about, width - ABOUT - 4) {
            row(&mut card, &mut label, &line);
        }
    }
    summary(&mut card, tried);
    card
}

fn row(card: &mut String, label: &mut &str, text: &str) {
    let _ = writeln!(card, "  {BOLD}{label:<ABOUT$}{BOLD:#}{text}");
    *label = "";
}

/// The lines about the trials of a row.
fn evidence(tried: &[Tried], row: &str, width: usize) -> Vec<String> {
    let mut lines = Vec::new();
    let of_row: Vec<&Tried> = tried.iter().filter(|tried| tried.row == row).collect();
    let named = |is: &dyn Fn(&Outcome) -> bool| {
        let names = of_row.iter().filter(|tried| is(&tried.outcome));
        names
            .map(|tried| tried.trial)
            .collect::<Vec<_>>()
            .join(", ")
    };
    let kept = named(&|outcome| *outcome == Outcome::Kept);
    if !kept.is_empty() {
        for (at, line) in wrap(&kept, width).into_iter().enumerate() {
            let mark = if at == 0 { "✔" } else { " " };
            lines.push(format!("{GOOD}{mark}{GOOD:#} {line}"));
        }
    }
    for tried in &of_row {
        if let Outcome::Broken(why) | Outcome::Overlap(why) = &tried.outcome {
            let text = format!("{}: {}", tried.trial, printable(why));
            for (at, line) in wrap(&text, width).into_iter().enumerate() {
                let mark = if at == 0 { "✘" } else { " " };
                lines.push(format!("{BAD}{mark} {line}{BAD:#}"));
            }
        }
    }
    let not_tried = named(&|outcome| matches!(outcome, Outcome::NotTried(_)));
    if !not_tried.is_empty() {
        for line in wrap(&format!("not tried: {not_tried}"), width) {
            lines.push(format!("{DIM}- {line}{DIM:#}"));
        }
    }
    lines
}

fn summary(card: &mut String, tried: &[Tried]) {
    if tried.is_empty() {
        return;
    }
    let count = |is: fn(&Outcome) -> bool| tried.iter().filter(|t| is(&t.outcome)).count();
    let kept = count(|outcome| *outcome == Outcome::Kept);
    let not_tried = count(|outcome| matches!(outcome, Outcome::NotTried(_)));
    let broken = tried.len() - kept - not_tried;
    let _ = match broken {
        0 => writeln!(
            card,
            "\n{GOOD}no violation found in {kept} of {} trials{GOOD:#}",
            tried.len()
        ),
        _ => writeln!(
            card,
            "\n{BAD}{broken} of {} trials found a violation{BAD:#}",
            kept + broken
        ),
    };
    let mut reasons: Vec<&String> = tried
        .iter()
        .filter_map(|tried| match &tried.outcome {
            Outcome::NotTried(why) => Some(why),
            _ => None,
        })
        .collect();
    reasons.sort();
    reasons.dedup();
    for reason in reasons {
        let _ = writeln!(card, "{DIM}not tried: {}{DIM:#}", printable(reason));
    }
}

/// As in the other commands: 1 if two held the lock at once, 3 for any other violation.
pub fn exit_status(tried: &[Tried]) -> Status {
    let any = |is: fn(&Outcome) -> bool| tried.iter().any(|tried| is(&tried.outcome));
    if any(|outcome| matches!(outcome, Outcome::Overlap(_))) {
        1
    } else if any(|outcome| matches!(outcome, Outcome::Broken(_))) {
        3
    } else if any(|outcome| *outcome == Outcome::Kept) {
        0
    } else {
        NOT_TRIED
    }
}

/// Breaks a text at blanks; a word that is longer stays whole.
fn wrap(text: &str, width: usize) -> Vec<String> {
    let mut lines: Vec<String> = Vec::new();
    for word in text.split_whitespace() {
        match lines.last_mut() {
            Some(line) if line.chars().count() + 1 + word.chars().count() <= width => {
                line.push(' ');
                line.push_str(word);
            }
            _ => lines.push(word.to_owned()),
        }
    }
    lines
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tried(outcome: Outcome) -> Tried {
        Tried {
            row: "exclusion",
            trial: "threads",
            outcome,
        }
    }

    #[test]
    fn the_card_shows_promises_and_trials() {
        let promises = Promises::of("redis://h").unwrap();
        let card =
            anstream::adapter::strip_str(&of(&promises, &[tried(Outcome::Kept)])).to_string();
        assert!(card.starts_with("redis\n"), "{card}");
        assert!(card.contains("✔ threads"), "{card}");
        assert!(
            card.ends_with("no violation found in 1 of 1 trials\n"),
            "{card}"
        );
    }

    #[test]
    fn the_exit_status_tells_overlaps_from_other_violations() {
        let why = || "why".to_owned();
        for (outcome, status) in [
            (Outcome::Kept, 0),
            (Outcome::Overlap(why()), 1),
            (Outcome::NotTried(why()), 2),
            (Outcome::Broken(why()), 3),
        ] {
            assert_eq!(exit_status(&[tried(outcome)]), status);
        }
    }
}
