//! The card for a terminal, with colours that the caller may strip.

use std::fmt::Write;

use anstyle::{AnsiColor, Style};

use super::{Card, Holder, Outcome, Overlap, Quoted, Word};

const GOOD: Style = AnsiColor::Green.on_default().bold();
const BAD: Style = AnsiColor::Red.on_default().bold();
const DOUBTFUL: Style = AnsiColor::Yellow.on_default();
const FAINT: Style = Style::new().dimmed();
const STRONG: Style = Style::new().bold();

/// Where the evidence of a scenario begins.
const INDENT: usize = 31;
const SEPARATOR: &str = " · ";
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

/// The line of one scenario; several, if it is to be no wider than this.
pub fn outcome_line(outcome: &Outcome, width: Option<usize>) -> String {
    let word = outcome.verdict;
    let (style, mark, text) = match outcome.counts {
        false if mark(word) == '✘' => (DOUBTFUL, '!', word.text().to_lowercase()),
        _ => (style(word), mark(word), word.text().to_owned()),
    };
    let name = match outcome.counts {
        true => outcome.scenario.to_owned(),
        false => format!("({})", outcome.scenario),
    };
    let mut line = Line {
        text: format!("{style}{mark} {name:<15}{text:<14}{style:#}"),
        column: INDENT,
        width: width.unwrap_or(usize::MAX),
    };
    if outcome.sections == 0 || word == Word::NotKnown {
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

/// Text that goes on below itself where it would be too wide.
struct Line {
    text: String,
    column: usize,
    width: usize,
}

impl Line {
    fn add(&mut self, separator: &str, piece: &str, style: Style) {
        let (between, length) = (separator.chars().count(), piece.chars().count());
        if self.column == INDENT {
            self.column += length;
        } else if self.column + between + length <= self.width {
            self.text += separator;
            self.column += between + length;
        } else {
            let _ = write!(self.text, "\n{:INDENT$}", "");
            self.column = INDENT + length;
        }
        let _ = write!(self.text, "{style}{piece}{style:#}");
    }
}

/// A number and what it counts.
fn counted(number: u64, plural: &str) -> String {
    let what = match (number, plural) {
        (1, "forks that exit") => "fork that exits",
        (1, "forks that release") => "fork that releases",
        (1, "wrappers killed") => "wrapper killed",
        (1, plural) => plural.trim_end_matches('s'),
        (_, plural) => plural,
    };
    format!("{} {what}", count(number))
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
    let shared = |holder: &Holder| match holder.shared {
        true => " (sharing)",
        false => "",
    };
    let mut text = String::new();
    let _ = writeln!(
        text,
        "  first after {}: {}{} was in{stopped}, {}{} came in as well",
        time(*at_ns as f64 / 1e3),
        name(first),
        shared(first),
        name(second),
        shared(second)
    );
    let pad = name(first).len().max(name(second).len());
    for holder in [first, second] {
        let _ = writeln!(text, "    {:<pad$}  {}", name(holder), row(holder));
    }
    let bar = "▔".repeat(to - from);
    // Beside the bar, on the side where there is room.
    let _ = match from > both.len() && to + both.len() > WIDTH {
        true => writeln!(
            text,
            "    {:<pad$}  {both:>left$} {BAD}{bar}{BAD:#}",
            "",
            left = from - 1
        ),
        false => writeln!(
            text,
            "    {:<pad$}  {:from$}{BAD}{bar}{BAD:#} {both}",
            "", ""
        ),
    };
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
