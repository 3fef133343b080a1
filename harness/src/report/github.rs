//! What GitHub Actions shows: annotations, from lines on standard output, and the summary of a job, in Markdown.

use std::fmt::Write;

use crate::model::Rank;
use crate::model::{CheckedReport, Outcome, Verdict};

/// GitHub shows no more of a step.
const MOST_ANNOTATIONS: usize = 10;
/// GitHub refuses a summary above 1024 KiB, and other steps write into it as well.
const MOST_SUMMARY: usize = 900 * 1024;

/// The workflow commands that annotate the run, one a line, failures first, and no more than GitHub shows.
pub fn annotations(cards: &[CheckedReport]) -> String {
    let of = |wanted: Rank| {
        cards.iter().flat_map(move |judged| {
            judged
                .card
                .outcomes
                .iter()
                .filter(move |outcome| judged.rank(outcome) == wanted)
                .map(move |outcome| (judged, outcome))
        })
    };
    let level = |rank| match rank {
        Rank::Failure => "error",
        _ => "warning",
    };
    let mut lines: Vec<String> = [Rank::Failure, Rank::Notable]
        .into_iter()
        .flat_map(|rank| {
            of(rank).map(move |(judged, outcome)| annotation(level(rank), judged, outcome))
        })
        .collect();
    let left_out = lines.len().saturating_sub(MOST_ANNOTATIONS);
    if left_out > 0 {
        lines.truncate(MOST_ANNOTATIONS - 1);
        let text = format!(
            "{} more findings are in the summary of the job",
            left_out + 1
        );
        lines.push(workflow_command("warning", "and more", &text));
    }
    lines.concat()
}

fn annotation(level: &str, judged: &CheckedReport, outcome: &Outcome) -> String {
    let reason = outcome.reason.clone().unwrap_or_else(|| {
        format!(
            "{} overlaps in {} sections",
            outcome.overlaps + outcome.expiries,
            outcome.sections
        )
    });
    let expected = match unmet(judged, outcome) {
        Some(sentence) => format!("{sentence}; "),
        None => String::new(),
    };
    workflow_command(
        level,
        &format!("{} under {}", outcome.verdict.text(), outcome.scenario),
        &format!(
            "{}: {expected}{reason}. Again: {}",
            judged.title(),
            outcome.again
        ),
    )
}

fn unmet(judged: &CheckedReport, outcome: &Outcome) -> Option<String> {
    judged
        .expectations
        .iter()
        .find(|expectation| expectation.scenario == outcome.scenario && !expectation.met)
        .map(crate::model::Expectation::sentence)
}

/// `::error title=…::…`, with the escapes that workflow commands ask for, and a newline.
pub fn workflow_command(level: &str, title: &str, message: &str) -> String {
    format!("::{level} title={}::{}\n", property(title), data(message))
}

fn data(text: &str) -> String {
    text.replace('%', "%25")
        .replace('\r', "%0D")
        .replace('\n', "%0A")
}

fn property(text: &str) -> String {
    data(text).replace(':', "%3A").replace(',', "%2C")
}

/// The cards in Markdown.
pub fn job_summary(cards: &[CheckedReport]) -> String {
    let mut text = String::new();
    for (nth, judged) in cards.iter().enumerate() {
        let one = of_one(judged);
        if text.len() + one.len() > MOST_SUMMARY {
            let _ = writeln!(
                text,
                "\n{} more locks are in the artifacts.",
                cards.len() - nth
            );
            break;
        }
        text += &one;
    }
    text + "\nScenarios in brackets are hazards, which do not count unless they are named.\n"
}

fn of_one(judged: &CheckedReport) -> String {
    let card = &judged.card;
    let verdict = match (judged.exit_status, card.verdict) {
        (0, Verdict::Held | Verdict::NotKnown) => card.verdict.text().to_owned(),
        (0, _) => "as expected".to_owned(),
        (_, word) if judged.expectations.iter().all(|one| one.met) => word.text().to_owned(),
        _ => "NOT AS EXPECTED".to_owned(),
    };
    let mut text = format!(
        "### {verdict}: {}\n\n{}, seed `{}`, {} processes, {:.0} s\n\n| scenario | verdict | sections | overlaps | evidence |\n|---|---|---|---|---|\n",
        code(judged.title()),
        code(&card.lock.arguments),
        card.seed,
        card.processes,
        card.seconds
    );
    for outcome in &card.outcomes {
        let name = match outcome.counts {
            true => outcome.scenario.to_owned(),
            false => format!("({})", outcome.scenario),
        };
        let mut evidence: Vec<String> = unmet(judged, outcome).into_iter().collect();
        evidence.extend(outcome.reason.as_deref().map(short));
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
                .map(|error| format!("{} times: {}", error.count, short(&error.text))),
        );
        let mut evidence = cell(&evidence.join("; "));
        if judged.rank(outcome) != Rank::Fine {
            // After a line break, so that it can be copied.
            evidence += &format!("<br>{}", code(&cell(&outcome.again)));
        }
        let _ = writeln!(
            text,
            "| {name} | {} | {} | {} | {evidence} |",
            outcome.verdict.text(),
            outcome.sections,
            outcome.overlaps + outcome.expiries,
        );
    }
    text + "\n"
}

/// Errors of foreign libraries may be pages long.
fn short(text: &str) -> String {
    const MOST: usize = 300;
    match text.char_indices().nth(MOST) {
        Some((at, _)) => format!("{}…", &text[..at]),
        None => text.to_owned(),
    }
}

fn code(text: &str) -> String {
    let text = text.replace('\n', " ");
    match text.contains('`') {
        true => format!("`` {text} ``"),
        false => format!("`{text}`"),
    }
}

fn cell(text: &str) -> String {
    text.replace('|', "\\|").replace(['\n', '\r'], " ")
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;
    use crate::model::Scenario;
    use crate::model::expected::tests::card;

    #[test]
    fn what_would_end_a_command_is_escaped() {
        assert_eq!(property("a: 50%,\nb"), "a%3A 50%25%2C%0Ab");
        assert_eq!(cell("a|b\nc"), "a\\|b c");
        assert_eq!(code("a`b"), "`` a`b ``");
    }

    #[test]
    fn a_step_has_ten_annotations_at_most_failures_first() {
        let all = Scenario::ALL
            .map(|scenario| (scenario, scenario == Scenario::WrapperKill, Verdict::Broken));
        let cards = [
            CheckedReport::plain(card(&all)),
            CheckedReport::plain(card(&all)),
        ];
        let lines = annotations(&cards);
        let lines: Vec<&str> = lines.lines().collect();
        assert_eq!(lines.len(), MOST_ANNOTATIONS);
        assert!(lines[0].starts_with("::error ") && lines[1].starts_with("::error "));
        assert!(lines[2].starts_with("::warning "));
        assert!(lines[9].contains("11 more findings"), "{}", lines[9]);
    }

    #[test]
    fn an_expected_break_is_not_annotated_and_an_expected_hold_is() {
        let found = [(Scenario::Unlink, false, Verdict::Broken)];
        let judge = |word| {
            let expect = BTreeMap::from([(Scenario::Unlink, vec![word])]);
            [CheckedReport::new("cache", card(&found), &expect)]
        };
        assert_eq!(annotations(&judge(Verdict::Broken)), "");
        let told = annotations(&judge(Verdict::Held));
        assert!(
            told.starts_with("::error title=BROKEN under unlink::cache: "),
            "{told}"
        );
        assert!(
            told.contains("held was expected, broken was found"),
            "{told}"
        );
        assert!(job_summary(&judge(Verdict::Held)).contains("NOT AS EXPECTED"));
    }

    #[test]
    fn a_summary_stays_below_what_github_takes() {
        let mut big = card(&Scenario::ALL.map(|scenario| (scenario, true, Verdict::Broken)));
        big.outcomes[0].again = "x".repeat(400 * 1024);
        let cards = vec![CheckedReport::plain(big); 5];
        let text = job_summary(&cards);
        assert!(text.len() < 1024 * 1024);
        assert!(text.contains("more locks are in the artifacts"));
    }
}
