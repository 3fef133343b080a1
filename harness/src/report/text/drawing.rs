//! The first overlap as a small timeline.

use std::fmt::Write;

use super::line::time;
use super::style::{BAD, FAINT};
use crate::model::{Holder, Overlap, Scenario};

/// Width of the drawing.
const WIDTH: usize = 56;

/// The drawing, with a sentence above it.
pub fn drawing(scenario: Scenario, overlap: &Overlap) -> String {
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
    let name = |holder: &Holder| match scenario {
        Scenario::Threads => format!("thread {}", holder.slot),
        _ => format!("worker {}", holder.worker),
    };
    let both_until = at_ns + both_ns.unwrap_or(1);
    let (from, to) = (column(*at_ns), column(both_until).max(column(*at_ns) + 1));
    let both = match both_ns {
        Some(both) => format!("overlap: {}", time(*both as f64 / 1e3)),
        None => "overlap: neither had released when the run ended".to_owned(),
    };
    let stopped = match first.paused {
        true => " (it had been paused)",
        false => "",
    };
    let shared = |holder: &Holder| match holder.shared {
        true => " (sharing)",
        false => "",
    };
    let mut text = String::new();
    let _ = writeln!(
        text,
        "  first after {}: {}{} entered while {}{} held the lock{stopped}",
        time(*at_ns as f64 / 1e3),
        name(second),
        shared(second),
        name(first),
        shared(first)
    );
    let pad = name(first).len().max(name(second).len());
    for holder in [first, second] {
        let _ = writeln!(text, "    {:<pad$}  {}", name(holder), row(holder));
    }
    let bar = "▔".repeat(to - from);
    // Beside the bar, on the side with more space.
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
        "    {:<pad$}  {FAINT}full width: {}{FAINT:#}",
        "",
        time(span as f64 / 1e3)
    );
    text
}

#[cfg(test)]
mod tests {
    use super::super::style::plain;
    use super::*;

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
        let text = plain(&drawing(Scenario::Contend, &overlap));
        let rows: Vec<&str> = text.lines().collect();
        assert_eq!(
            rows[0].trim(),
            "first after 5.0 ms: worker 3 entered while worker 0 held the lock"
        );
        let start = |row: &str, c| row.chars().position(|d| d == c).unwrap();
        assert_eq!(start(rows[2], '█'), start(rows[3], '▔'));
        assert!(rows[3].ends_with("▔ overlap: 2.0 ms"));
        assert_eq!(
            start(rows[1], '█') + rows[1].matches('█').count(),
            start(rows[3], '▔') + rows[3].matches('▔').count()
        );
    }
}
