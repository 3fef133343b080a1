//! Colours and marks of verdicts.

use anstyle::{AnsiColor, Style};

use crate::model::{Outcome, Verdict};

pub const GOOD: Style = AnsiColor::Green.on_default().bold();
pub const BAD: Style = AnsiColor::Red.on_default().bold();
pub const DOUBTFUL: Style = AnsiColor::Yellow.on_default();
pub const FAINT: Style = Style::new().dimmed();
pub const STRONG: Style = Style::new().bold();

/// The colour of a verdict.
pub fn style(verdict: Verdict) -> Style {
    match verdict {
        Verdict::Held => GOOD,
        Verdict::Broken
        | Verdict::FenceBroken
        | Verdict::Stuck
        | Verdict::StuckAfterCrash
        | Verdict::Starved
        | Verdict::WrongAnswer => BAD,
        Verdict::Errors | Verdict::LeaseExpired => DOUBTFUL,
        Verdict::NotKnown => FAINT,
    }
}

/// The mark before a verdict.
pub fn mark(verdict: Verdict) -> char {
    match verdict {
        Verdict::Held => '✔',
        Verdict::Broken
        | Verdict::FenceBroken
        | Verdict::Stuck
        | Verdict::StuckAfterCrash
        | Verdict::Starved
        | Verdict::WrongAnswer => '✘',
        Verdict::Errors | Verdict::LeaseExpired => '!',
        Verdict::NotKnown => '-',
    }
}

/// Colour, mark and word of an outcome, less prominent if the outcome does not count.
pub fn shown(outcome: &Outcome) -> (Style, char, String) {
    let verdict = outcome.verdict;
    match outcome.counts {
        false if mark(verdict) == '✘' => (DOUBTFUL, '!', verdict.text().to_lowercase()),
        _ => (style(verdict), mark(verdict), verdict.text().to_owned()),
    }
}

/// Text without its colours.
#[cfg(test)]
pub fn plain(text: &str) -> String {
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
