//! Text for a terminal, with colours that the caller may strip.

mod drawing;
mod line;
mod load;
mod search;
mod steps;
mod style;

use crate::model::{CheckedReport, Evidence, Outcome, Report, Verdict};

pub use line::{counted, time};
pub use search::steps_in_short;
pub use steps::{fold, steps};
use style::{BAD, FAINT, GOOD, STRONG, style};

use line::count;

/// The lock and the conditions of its trial, shown before anything has run.
pub fn headline(lock: &str, how: &str) -> String {
    format!("{STRONG}{lock}{STRONG:#}\n{FAINT}{how}{FAINT:#}\n")
}

/// The name of a configured lock, before it is tried.
pub fn name_line(name: &str) -> String {
    format!("{STRONG}{name}{STRONG:#}")
}

/// The line of one scenario, shown as soon as it is done and no wider than `width`.
pub fn outcome_line(outcome: &Outcome, width: Option<usize>) -> String {
    match &outcome.evidence {
        Evidence::Load(load) => load::line(outcome, load, width),
        Evidence::Search(search) => fold(&search::lines(outcome, search), width),
    }
}

/// The evidence of one scenario, if there is any; shown below the lines of all scenarios.
pub fn evidence(outcome: &Outcome) -> Option<String> {
    match &outcome.evidence {
        Evidence::Load(load) => load::evidence(outcome, load),
        Evidence::Search(search) => search
            .counterexample
            .as_ref()
            .map(|one| steps(&one.steps, &one.ending)),
    }
}

/// The result of a scenario in a phrase.
pub fn finding(outcome: &Outcome) -> String {
    if let Some(reason) = &outcome.reason {
        return reason.clone();
    }
    let verdict = outcome.verdict.text();
    match &outcome.evidence {
        Evidence::Load(load) if load.overlaps + load.expiries > 0 => format!(
            "{verdict}: {} overlaps in {} sections",
            load.overlaps + load.expiries,
            load.sections
        ),
        Evidence::Search(search) => match &search.counterexample {
            Some(found) => found.ending.trim_start_matches("=> ").to_owned(),
            None => verdict.to_owned(),
        },
        Evidence::Load(_) => verdict.to_owned(),
    }
}

/// The last line of a report: the verdict and the scenarios that led to it.
pub fn verdict_line(report: &Report) -> String {
    let outcomes = || report.outcomes.iter();
    let style = style(report.verdict);
    let worst: Vec<&str> = outcomes()
        .filter(|outcome| outcome.counts && outcome.verdict == report.verdict)
        .map(|outcome| outcome.scenario.word())
        .collect();
    let hazards: Vec<String> = outcomes()
        .filter(|outcome| !outcome.counts)
        .filter(|outcome| !matches!(outcome.verdict, Verdict::Held | Verdict::NotKnown))
        .map(|outcome| {
            let verdict = outcome.verdict.text().to_lowercase();
            format!("{verdict} under {}", outcome.scenario)
        })
        .collect();
    let sections: u64 = outcomes()
        .filter_map(Outcome::load)
        .map(|load| load.sections)
        .sum();
    let what = match report.verdict {
        Verdict::Held => format!(
            ": no violation found in {} sections, {:.0} s",
            count(sections),
            report.seconds
        ),
        Verdict::NotKnown => ": the lock could not be tested".to_owned(),
        _ => format!(" under {}", worst.join(", ")),
    };
    let mut line = format!("{style}{}{style:#}{what}", report.verdict.text());
    if !hazards.is_empty() {
        let but = match report.verdict {
            Verdict::Held | Verdict::NotKnown => "but",
            _ => "also",
        };
        line += &format!("; {but} {}", hazards.join(", "));
    }
    if report.interrupted {
        line += "; interrupted before everything was tested";
    }
    if outcomes().any(|outcome| !outcome.counts) {
        line += &format!(
            "\n{FAINT}(parentheses mark hazards; they affect the exit status only if named or with \
             --deny-hazards){FAINT:#}"
        );
    }
    line
}

/// The line of a configured lock: as expected, or the reasons why not.
pub fn checked_line(checked: &CheckedReport) -> String {
    let name = checked.title();
    let failures = checked.failures();
    match (failures.is_empty(), checked.exit_status) {
        (_, 0) if checked.expectations.is_empty() => format!("{GOOD}✔ {name}{GOOD:#}"),
        (_, 0) => format!("{GOOD}✔ {name}{GOOD:#}  as expected"),
        (false, _) => format!("{BAD}✘ {name}{BAD:#}  {}", failures.join("; ")),
        (true, 2) => format!("{BAD}✘ {name}{BAD:#}  not known"),
        (true, _) => format!("{BAD}✘ {name}{BAD:#}"),
    }
}

#[cfg(test)]
mod tests {
    use super::line::INDENT;
    use super::style::plain;
    use super::*;
    use crate::model::{FaultCount, Load, Scenario};

    #[test]
    fn a_line_goes_on_below_itself_where_it_would_be_too_wide() {
        let faults = ["kills", "long pauses", "forks that exit", "wrappers killed"];
        let load = Load {
            sections: 5_067,
            overlaps: 1,
            faults: faults.map(|name| FaultCount { name, count: 1 }).into(),
            ..Load::default()
        };
        let outcome = Outcome {
            seconds: 1.0,
            verdict: Verdict::Broken,
            reason: None,
            evidence: Evidence::Load(Box::new(load)),
            ..Outcome::not_tried(Scenario::Die, true, String::new(), String::new())
        };
        let whole = plain(&outcome_line(&outcome, None));
        assert!(
            whole.ends_with(
                "5,067 sections, 5,067/s · 1 overlap · 1 kill · 1 long pause · 1 fork that exits · \
                 1 wrapper killed"
            ),
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
    fn an_unknown_verdict_shows_its_reason() {
        let load = Load {
            sections: 12,
            ..Load::default()
        };
        let outcome = Outcome {
            evidence: Evidence::Load(Box::new(load)),
            ..Outcome::not_tried(
                Scenario::Unlink,
                false,
                "the lock keeps no file".into(),
                String::new(),
            )
        };
        let line = plain(&outcome_line(&outcome, Some(80)));
        assert!(line.ends_with("the lock keeps no file"), "{line}");
    }
}
