//! GitHub Actions: annotations, as workflow commands on standard error, and the summary of a job,
//! in Markdown.

use std::fmt::Write;

use crate::model::{CheckedReport, Counterexample, Evidence, Outcome, Rank, Verdict};

/// Maximum number of annotations that GitHub shows for a step.
const MOST_ANNOTATIONS: usize = 10;
/// Maximum size of a summary. GitHub rejects more than 1024 KiB, and other steps write into it as
/// well.
const MOST_SUMMARY: usize = 900 * 1024;
/// Maximum size of the counterexamples in a summary; the files have them completely.
const MOST_STEPS: usize = 60_000;

/// The workflow commands that annotate the run, one a line, failures first, at most as many as
/// GitHub shows.
pub fn annotations(reports: &[CheckedReport]) -> String {
    let of = |wanted: Rank| {
        reports.iter().flat_map(move |checked| {
            let outcomes = checked.report.outcomes.iter();
            outcomes
                .filter(move |outcome| checked.rank(outcome) == wanted)
                .map(move |outcome| (checked, outcome))
        })
    };
    let level = |rank| match rank {
        Rank::Failure => "error",
        _ => "warning",
    };
    let mut lines: Vec<String> = [Rank::Failure, Rank::Notable]
        .into_iter()
        .flat_map(|rank| {
            of(rank).map(move |(checked, outcome)| annotation(level(rank), checked, outcome))
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

fn annotation(level: &str, checked: &CheckedReport, outcome: &Outcome) -> String {
    let expected = match checked.unmet(outcome) {
        Some(expectation) => format!("{}; ", expectation.sentence()),
        None => String::new(),
    };
    let again = match &outcome.again {
        Some(command) => format!(". Again: {command}"),
        None => String::new(),
    };
    workflow_command(
        level,
        &format!("{} under {}", outcome.verdict.text(), outcome.scenario),
        &format!(
            "{}: {expected}{}{again}",
            checked.title(),
            super::finding(outcome)
        ),
    )
}

/// `::error title=…::…`, with the escapes that workflow commands require, and a newline.
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

/// The reports in Markdown.
pub fn job_summary(reports: &[CheckedReport]) -> String {
    let mut text = String::new();
    for (nth, checked) in reports.iter().enumerate() {
        let one = of_one(checked);
        if text.len() + one.len() > MOST_SUMMARY {
            let _ = writeln!(
                text,
                "\n{} more locks are in the artifacts.",
                reports.len() - nth
            );
            break;
        }
        text += &one;
    }
    let mut outcomes = reports.iter().flat_map(|one| &one.report.outcomes);
    if outcomes.any(|outcome| !outcome.counts) {
        text += "\nParentheses mark hazards; they count only if they are named.\n";
    }
    text
}

fn of_one(checked: &CheckedReport) -> String {
    let report = &checked.report;
    let verdict = match (checked.exit_status, report.verdict) {
        (0, Verdict::Held | Verdict::NotKnown) => report.verdict.text().to_owned(),
        (0, _) => "as expected".to_owned(),
        (_, verdict) if checked.expectations.iter().all(|one| one.met) => verdict.text().to_owned(),
        _ => "NOT AS EXPECTED".to_owned(),
    };
    let explored = report.outcomes.iter().any(|one| one.search().is_some());
    let columns = match explored {
        true => "| scenario | verdict | schedules | evidence |\n|---|---|---|---|",
        false => "| scenario | verdict | sections | overlaps | evidence |\n|---|---|---|---|---|",
    };
    let mut text = format!(
        "### {verdict}: {}\n\n{}, seed `{}`, {} workers, {:.0} s\n\n{columns}\n",
        code(checked.title()),
        code(&report.lock.arguments),
        report.seed,
        report.workers,
        report.seconds
    );
    for outcome in &report.outcomes {
        let name = match outcome.counts {
            true => outcome.scenario.to_string(),
            false => format!("({})", outcome.scenario),
        };
        let counts = match &outcome.evidence {
            Evidence::Load(load) => {
                format!("{} | {}", load.sections, load.overlaps + load.expiries)
            }
            Evidence::Search(search) => search.schedules.to_string(),
        };
        let mut evidence = cell(&evidence(checked, outcome).join("; "));
        if checked.rank(outcome) != Rank::Fine
            && let Some(again) = &outcome.again
        {
            // After a line break, so that it can be copied.
            evidence += &format!("<br>{}", code(&cell(again)));
        }
        let _ = writeln!(
            text,
            "| {name} | {} | {counts} | {evidence} |",
            outcome.verdict.text(),
        );
    }
    for outcome in &report.outcomes {
        if let Some(counterexample) = outcome.counterexample() {
            text += &replay(outcome, counterexample);
        }
    }
    text + "\n"
}

fn evidence(checked: &CheckedReport, outcome: &Outcome) -> Vec<String> {
    let mut evidence: Vec<String> = Vec::new();
    evidence.extend(checked.unmet(outcome).map(|one| one.sentence()));
    evidence.extend(outcome.reason.as_deref().map(short));
    match &outcome.evidence {
        Evidence::Load(load) => evidence.extend(
            load.faults
                .iter()
                .map(|fault| format!("{} {}", fault.count, fault.name)),
        ),
        Evidence::Search(search) => {
            evidence.extend(search.counterexample.as_ref().map(|one| short(&one.ending)));
        }
    }
    let first = outcome.errors.first();
    evidence.extend(first.map(|error| format!("{} times: {}", error.count, short(&error.text))));
    evidence
}

/// One command that replays the counterexample anywhere, and its steps.
fn replay(outcome: &Outcome, counterexample: &Counterexample) -> String {
    let mut steps = super::steps(&counterexample.steps, &counterexample.ending);
    if let Some((end, _)) = steps.char_indices().nth(MOST_STEPS) {
        steps.truncate(end);
        steps += "…\n";
    }
    format!(
        "\nTo replay the counterexample of `{}`, from the folder of the project:\n\n```sh\n\
         cargo lockutils replay - <<'END'\n{}END\n```\n\n<details><summary>The steps</summary>\n\n\
         ```text\n{steps}```\n\n\
         </details>\n",
        outcome.scenario, counterexample.replay
    )
}

/// Errors of other libraries may be pages long.
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
    use crate::model::checked::tests::report;

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
            CheckedReport::plain(report(&all)),
            CheckedReport::plain(report(&all)),
        ];
        let lines = annotations(&cards);
        let lines: Vec<&str> = lines.lines().collect();
        assert_eq!(lines.len(), MOST_ANNOTATIONS);
        assert!(lines[0].starts_with("::error ") && lines[1].starts_with("::error "));
        assert!(lines[2].starts_with("::warning "));
        assert!(lines[9].contains("15 more findings"), "{}", lines[9]);
    }

    #[test]
    fn an_expected_break_is_not_annotated_and_an_expected_hold_is() {
        let found = [(Scenario::Unlink, false, Verdict::Broken)];
        let judge = |word| {
            let expect = BTreeMap::from([(Scenario::Unlink, vec![word])]);
            [CheckedReport::new("cache", report(&found), &expect, false)]
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
        let mut big = report(&Scenario::ALL.map(|scenario| (scenario, true, Verdict::Broken)));
        big.outcomes[0].again = Some("x".repeat(400 * 1024));
        let cards = vec![CheckedReport::plain(big); 5];
        let text = job_summary(&cards);
        assert!(text.len() < 1024 * 1024);
        assert!(text.contains("more locks are in the artifacts"));
    }
}
