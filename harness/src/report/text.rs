//! The card for a terminal, with colours that the caller may strip.

use std::fmt::Write;

use anstyle::{AnsiColor, Style};

use super::{Card, Holder, Outcome, Overlap, Quoted, Word};

const GOOD: Style = AnsiColor::Green.on_default().bold();
const BAD: Style = AnsiColor::Red.on_default().bold();
const DOUBTFUL: Style = AnsiColor::Yellow.on_default();
const FAINT: Style = Style::new().dimmed();
const STRONG: Style = Style::new().bold();

/// How wide the drawing of an overlap is.
const WIDTH: usize = 56;

fn style(word: Word) -> Style {
    match word {
        Word::Held => GOOD,
        Word::Broken | Word::Stuck | Word::Starved => BAD,
        Word::Errors | Word::LeaseExpired => DOUBTFUL,
        Word::NotKnown => FAINT,
    }
}

fn mark(word: Word) -> char {
    match word {
        Word::Held => '✔',
        Word::Broken | Word::Stuck | Word::Starved => '✘',
        Word::Errors | Word::LeaseExpired => '!',
        Word::NotKnown => '-',
    }
}

/// What is tried, and how; before anything has run.
pub fn headline(lock: &str, options: &crate::foreign::Options) -> String {
    let hold = time(options.hold.as_nanos() as f64 / 1e3);
    let lease = options.lease.map_or_else(String::new, |lease| {
        format!(", lease {}", time(lease.as_micros() as f64))
    });
    format!(
        "{STRONG}{lock}{STRONG:#}\n{FAINT}{} processes, sections of up to {hold}{lease}, seed {:#x}{FAINT:#}\n",
        options.processes, options.seed
    )
}

/// The line of one scenario.
pub fn outcome_line(outcome: &Outcome) -> String {
    let word = outcome.verdict;
    let (style, mark, text) = match outcome.counts {
        false if mark(word) == '✘' => (DOUBTFUL, '!', word.text().to_lowercase()),
        _ => (style(word), mark(word), word.text().to_owned()),
    };
    let name = match outcome.counts {
        true => outcome.scenario.to_owned(),
        false => format!("({})", outcome.scenario),
    };
    let mut line = format!("{style}{mark} {name:<15}{text:<14}{style:#}");
    if outcome.sections == 0 {
        line += outcome.reason.as_deref().unwrap_or("nobody got the lock");
        return line;
    }
    let rate = outcome.sections as f64 / outcome.seconds.max(1e-9);
    let mut parts = vec![format!(
        "{} sections, {}/s",
        count(outcome.sections),
        count(rate as u64)
    )];
    if outcome.overlaps + outcome.expiries > 0 {
        let overlaps = outcome.overlaps.max(outcome.expiries);
        let plural = if overlaps == 1 { "" } else { "s" };
        parts.push(format!(
            "{STRONG}{} overlap{plural}{STRONG:#}",
            count(overlaps)
        ));
    }
    parts.extend(
        outcome
            .faults
            .iter()
            .map(|fault| format!("{} {}", count(fault.count), fault.name)),
    );
    let errors: u64 = outcome.errors.iter().map(|error| error.count).sum();
    if errors > 0 {
        let plural = if errors == 1 { "" } else { "s" };
        parts.push(format!("{} error{plural}", count(errors)));
    }
    if let Some(waits) = &outcome.waits {
        parts.push(format!(
            "wait {} median, {} p99, {} max",
            time(waits.p50_us),
            time(waits.p99_us),
            time(waits.max_us)
        ));
    }
    line + &parts.join(" · ")
}

/// What stands below the card about one scenario: the evidence, if there is any.
pub fn story(outcome: &Outcome) -> Option<String> {
    if outcome.verdict == Word::Held && outcome.errors.is_empty() && outcome.notes.is_empty() {
        return None;
    }
    if outcome.sections == 0 && outcome.errors.is_empty() && outcome.notes.is_empty() {
        return None;
    }
    let style = style(outcome.verdict);
    let mut text = format!(
        "{style}{}: {}{style:#}  {FAINT}{}{FAINT:#}\n",
        outcome.scenario,
        outcome.verdict.text(),
        outcome.meaning
    );
    if let Some(reason) = &outcome.reason {
        let _ = writeln!(text, "  {reason}");
    }
    if let Some(overlap) = &outcome.first_overlap {
        text += &drawing(outcome, overlap);
    }
    quote(&mut text, "errors", &outcome.errors);
    quote(&mut text, "noticed", &outcome.notes);
    if outcome.verdict != Word::Held {
        if let (Some(hand), Some(fairness)) = (&outcome.hand_overs, outcome.fairness) {
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

fn drawing(outcome: &Outcome, overlap: &Overlap) -> String {
    let Overlap {
        first,
        second,
        at_ns,
        both_ns,
        ..
    } = overlap;
    let end = |holder: &Holder| holder.until_ns.unwrap_or(*at_ns).max(holder.from_ns + 1);
    let (start, stop) = (
        first.from_ns.min(second.from_ns),
        end(first).max(end(second)),
    );
    let margin = ((stop - start) / 8).max(1);
    let start = start.saturating_sub(margin);
    let span = (stop + margin - start).max(1);
    let column =
        |at: u64| ((at.saturating_sub(start)) as u128 * WIDTH as u128 / u128::from(span)) as usize;
    let row = |holder: &Holder| {
        let (from, to) = (
            column(holder.from_ns),
            column(end(holder)).max(column(holder.from_ns) + 1),
        );
        format!("{}{}", "·".repeat(from), "█".repeat(to - from))
    };
    let name = |holder: &Holder| match outcome.scenario {
        "threads" => format!("thread {}", holder.slot),
        _ => format!("worker {}", holder.worker),
    };
    let both_until = at_ns + both_ns.unwrap_or(1);
    let (from, to) = (column(*at_ns), column(both_until).max(column(*at_ns) + 1));
    let both = match both_ns {
        Some(both) => format!("both in for {}", time(*both as f64 / 1e3)),
        None => "both in, and neither has left as far as was seen".to_owned(),
    };
    let stopped = match first.paused {
        true => " (it had been stopped)",
        false => "",
    };
    let mut text = String::new();
    let _ = writeln!(
        text,
        "  first after {}: {} was in{stopped}, {} came in as well",
        time(*at_ns as f64 / 1e3),
        name(first),
        name(second)
    );
    let pad = name(first).len().max(name(second).len());
    for holder in [first, second] {
        let _ = writeln!(text, "    {:<pad$}  {}", name(holder), row(holder));
    }
    let _ = writeln!(
        text,
        "    {:<pad$}  {}{BAD}{}{BAD:#} {both}",
        "",
        " ".repeat(from),
        "▔".repeat(to - from)
    );
    let _ = writeln!(
        text,
        "    {:<pad$}  {FAINT}the whole line is {}{FAINT:#}",
        "",
        time(span as f64 / 1e3)
    );
    text
}

/// The last line: what all comes to.
pub fn verdict_line(card: &Card) -> String {
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
            !outcome.counts && !matches!(outcome.verdict, Word::Held | Word::NotKnown)
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
        Word::Held => format!(
            "in all that was tried: {} sections in {:.0} s",
            count(sections),
            card.seconds
        ),
        Word::NotKnown => "whether the lock holds could not be tried".to_owned(),
        _ => format!("under {}", worst.join(", ")),
    };
    let mut line = format!("{style}{}{style:#} {what}", card.verdict.text());
    if !hazards.is_empty() {
        line += &format!("; but {}", hazards.join(", "));
    }
    if card.outcomes.iter().any(|outcome| !outcome.counts) {
        line += &format!(
            "\n{FAINT}(in brackets: a hazard, which counts only when it is named or with --deny-hazards){FAINT:#}"
        );
    }
    if card.interrupted {
        line += "; interrupted before everything was tried";
    }
    line
}

/// With a comma after each three digits.
fn count(number: u64) -> String {
    let digits = number.to_string();
    let mut text = String::new();
    for (at, digit) in digits.chars().enumerate() {
        if at > 0 && (digits.len() - at).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

/// In a unit that suits.
fn time(us: f64) -> String {
    let (value, unit) = match us {
        us if us < 1_000.0 => (us, "µs"),
        us if us < 1_000_000.0 => (us / 1e3, "ms"),
        us => (us / 1e6, "s"),
    };
    match value {
        value if value < 10.0 => format!("{value:.1} {unit}"),
        value => format!("{value:.0} {unit}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_readable() {
        assert_eq!(
            (count(7), count(1234), count(1_234_567)),
            ("7".into(), "1,234".into(), "1,234,567".into())
        );
        assert_eq!(
            (time(0.4), time(12.3), time(2_500.0), time(3.2e7)),
            (
                "0.4 µs".into(),
                "12 µs".into(),
                "2.5 ms".into(),
                "32 s".into()
            )
        );
    }

    #[test]
    fn the_overlap_is_drawn_where_it_was() {
        let holder = |worker, from_ns, until_ns| Holder {
            worker,
            slot: 0,
            from_ns,
            until_ns: Some(until_ns),
            shared: false,
            paused: false,
        };
        let overlap = Overlap {
            at_ns: 5_000_000,
            both_ns: Some(2_000_000),
            lease: false,
            first: holder(0, 1_000_000, 7_000_000),
            second: holder(3, 5_000_000, 9_000_000),
        };
        let again = "cargo lockutils stress".to_owned();
        let outcome = Outcome::not_known(
            crate::foreign::Scenario::Contend,
            true,
            String::new(),
            again,
        );
        let text = anstream_free(&drawing(&outcome, &overlap));
        let rows: Vec<&str> = text.lines().collect();
        assert_eq!(
            rows[0].trim(),
            "first after 5.0 ms: worker 0 was in, worker 3 came in as well"
        );
        let start = |row: &str, c| row.chars().position(|d| d == c).unwrap();
        assert_eq!(start(rows[2], '█'), start(rows[3], '▔'));
        assert!(rows[3].ends_with("both in for 2.0 ms"));
        assert_eq!(
            start(rows[1], '█') + rows[1].matches('█').count(),
            start(rows[3], '▔') + rows[3].matches('▔').count()
        );
    }

    fn anstream_free(text: &str) -> String {
        let mut plain = String::new();
        let mut escape = false;
        for c in text.chars() {
            match c {
                '\u{1b}' => escape = true,
                'm' if escape => escape = false,
                c if !escape => plain.push(c),
                _ => {}
            }
        }
        plain
    }
}
