//! A scenario under load.

use std::fmt::Write;

use anstyle::Style;

use super::drawing::drawing;
use super::line::{INDENT, Line, count, counted, time};
use super::style::{FAINT, STRONG, shown};
use crate::model::{Load, Outcome, Quoted, Verdict};

const SEPARATOR: &str = " · ";

/// The line of one scenario, wrapped if it would be wider than `width`.
pub fn line(outcome: &Outcome, load: &Load, width: Option<usize>) -> String {
    let (style, mark, text) = shown(outcome);
    let name = match outcome.counts {
        true => outcome.scenario.to_string(),
        false => format!("({})", outcome.scenario),
    };
    let mut line = Line {
        text: format!("{style}{mark} {name:<15}{text:<14}{style:#}"),
        column: INDENT,
        width: width.unwrap_or(usize::MAX),
    };
    if load.sections == 0 || outcome.verdict == Verdict::NotKnown {
        let reason = outcome
            .reason
            .as_deref()
            .unwrap_or("no worker acquired the lock");
        reason
            .split(' ')
            .for_each(|word| line.add(" ", word, Style::new()));
        return line.text;
    }
    let rate = load.sections as f64 / outcome.seconds.max(1e-9);
    line.add(
        SEPARATOR,
        &format!(
            "{}, {}/s",
            counted(load.sections, "sections"),
            count(rate as u64)
        ),
        Style::new(),
    );
    if load.overlaps + load.expiries > 0 {
        let overlaps = load.overlaps.max(load.expiries);
        line.add(SEPARATOR, &counted(overlaps, "overlaps"), STRONG);
    }
    for fault in &load.faults {
        line.add(SEPARATOR, &counted(fault.count, fault.name), Style::new());
    }
    let errors: u64 = outcome.errors.iter().map(|error| error.count).sum();
    if errors > 0 {
        line.add(SEPARATOR, &counted(errors, "errors"), Style::new());
    }
    if let Some(waits) = &load.waits {
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

/// The evidence of one scenario, if there is any.
pub fn evidence(outcome: &Outcome, load: &Load) -> Option<String> {
    if outcome.verdict == Verdict::Held && outcome.errors.is_empty() && outcome.notes.is_empty() {
        return None;
    }
    if load.sections == 0 && outcome.errors.is_empty() && outcome.notes.is_empty() {
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
    if let Some(overlap) = &load.first_overlap {
        text += &drawing(outcome.scenario, overlap);
    }
    quote(&mut text, "errors", &outcome.errors);
    quote(&mut text, "notes", &outcome.notes);
    if outcome.verdict != Verdict::Held {
        if outcome.verdict != Verdict::NotKnown
            && let (Some(hand), Some(fairness)) = (&load.hand_overs, load.fairness)
        {
            let _ = writeln!(
                text,
                "  {FAINT}hand-over {} median, fairness {fairness:.2} (1 is even){FAINT:#}",
                time(hand.p50_us)
            );
        }
        if let Some(again) = &outcome.again {
            let _ = writeln!(text, "  rerun: {again}");
        }
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
