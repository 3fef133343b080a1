//! What GitHub Actions shows: annotations, from lines on standard output, and the summary of a job, in Markdown.

use std::fmt::Write;

use super::{Card, Word};

/// The workflow commands that annotate the run, one a line.
pub fn annotations(card: &Card) -> String {
    let mut text = String::new();
    for outcome in &card.outcomes {
        let level = match outcome.verdict {
            Word::Held | Word::NotKnown => continue,
            word if outcome.counts && word.exit_status() != 0 => "error",
            _ => "warning",
        };
        let reason = outcome.reason.clone().unwrap_or_else(|| {
            format!(
                "{} overlaps in {} sections",
                outcome.overlaps + outcome.expiries,
                outcome.sections
            )
        });
        let title = format!("{} under {}", outcome.verdict.text(), outcome.scenario);
        let message = format!("{}: {reason}. Again: {}", card.lock.title, outcome.again);
        let _ = writeln!(
            text,
            "::{level} title={}::{}",
            property(&title),
            data(&message)
        );
    }
    text
}

/// The escapes that workflow commands ask for.
fn data(text: &str) -> String {
    text.replace('%', "%25")
        .replace('\r', "%0D")
        .replace('\n', "%0A")
}

fn property(text: &str) -> String {
    data(text).replace(':', "%3A").replace(',', "%2C")
}

/// The card in Markdown.
pub fn job_summary(card: &Card) -> String {
    let mut text = format!(
        "### {} `{}`\n\nseed `{}`, {} processes, {:.0} s\n\n| scenario | verdict | sections | overlaps | evidence |\n|---|---|---|---|---|\n",
        card.verdict.text(),
        cell(&card.lock.title),
        card.seed,
        card.processes,
        card.seconds
    );
    for outcome in &card.outcomes {
        let name = match outcome.counts {
            true => outcome.scenario.to_owned(),
            false => format!("({})", outcome.scenario),
        };
        let mut evidence: Vec<String> = outcome.reason.iter().cloned().collect();
        evidence.extend(
            outcome
                .faults
                .iter()
                .map(|fault| format!("{} {}", fault.count, fault.name)),
        );
        evidence.extend(
            outcome
                .errors
                .first()
                .map(|error| format!("{} times: {}", error.count, error.text)),
        );
        if outcome.verdict == Word::Broken {
            evidence.push(format!("`{}`", outcome.again));
        }
        let _ = writeln!(
            text,
            "| {name} | {} | {} | {} | {} |",
            outcome.verdict.text(),
            outcome.sections,
            outcome.overlaps + outcome.expiries,
            cell(&evidence.join("; "))
        );
    }
    text + "\nScenarios in brackets are hazards, which do not count unless they are named.\n"
}

fn cell(text: &str) -> String {
    text.replace('|', "\\|").replace('\n', " ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_would_end_a_command_is_escaped() {
        assert_eq!(property("a: 50%,\nb"), "a%3A 50%25%2C%0Ab");
        assert_eq!(cell("a|b\nc"), "a\\|b c");
    }
}
