//! A self-contained page: the report, its timelines and its counterexamples, without a network.
//!
//! The page has the report as data, from which its scripts draw, and as a plain list, which is
//! what a reader without scripts sees.

use std::fmt::Write as _;

use serde_json::{Map, Value, json};

use crate::model::{Counterexample, Outcome, Report, Step, Verdict};

const PAGE: &str = include_str!("page/page.html");
const STYLES: [&str; 2] = [
    include_str!("page/style.css"),
    include_str!("page/steps.css"),
];
/// One script, in this order.
const SCRIPTS: [&str; 4] = [
    include_str!("page/report.js"),
    include_str!("page/timeline.js"),
    include_str!("page/steps.js"),
    include_str!("page/start.js"),
];

/// The report as a page.
pub fn html(report: &Report) -> String {
    fill(PAGE, |name| match name {
        "title" => escape(&report.lock.title),
        "verdict" => report.verdict.text().to_owned(),
        "plain" => plain(report),
        "data" => data(report),
        "style" => STYLES.concat(),
        "verdicts" => verdicts(),
        "script" => SCRIPTS.concat(),
        _ => String::new(),
    })
}

/// What the scripts know of each verdict: its text, its CSS class, and its severity.
fn verdicts() -> String {
    let of = |verdict: Verdict| {
        let class = match verdict {
            Verdict::Held => "good",
            Verdict::Broken
            | Verdict::FenceBroken
            | Verdict::Stuck
            | Verdict::StuckAfterCrash
            | Verdict::Starved
            | Verdict::WrongAnswer => "bad",
            Verdict::Errors | Verdict::LeaseExpired => "doubt",
            Verdict::NotKnown => "faint",
        };
        json!({ "text": verdict.text(), "class": class, "badness": verdict.badness() })
    };
    let all = Verdict::ALL.map(|verdict| (verdict.word().to_owned(), of(verdict)));
    Value::Object(Map::from_iter(all)).to_string()
}

/// A template with each `{{name}}` replaced. What is filled in is not looked at again.
fn fill(template: &str, value: impl Fn(&str) -> String) -> String {
    let mut page = String::new();
    let mut rest = template;
    while let Some((before, after)) = rest.split_once("{{") {
        let (name, after) = after.split_once("}}").unwrap_or((after, ""));
        page += before;
        page += &value(name);
        rest = after;
    }
    page + rest
}

/// The report as JSON that may stand in a script element. Nothing in it ends the element, begins a
/// comment, or hides from a reader of the source.
fn data(report: &Report) -> String {
    let json = serde_json::to_string(report).expect("a report has no map with odd keys");
    let mut data = String::with_capacity(json.len());
    for c in json.chars() {
        match c {
            '<' | '>' | '&' => escape_in_json(c, &mut data),
            c if is_hidden(c) => escape_in_json(c, &mut data),
            c => data.push(c),
        }
    }
    data
}

fn escape_in_json(c: char, json: &mut String) {
    for unit in c.encode_utf16(&mut [0; 2]) {
        let _ = write!(json, "\\u{unit:04x}");
    }
}

/// Returns `true` for control characters, and for those that break lines or change the direction of
/// the text.
fn is_hidden(c: char) -> bool {
    c.is_control()
        || matches!(c, '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{206f}')
}

/// Text in an element or a quoted attribute.
fn escape(text: &str) -> String {
    let mut html = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '&' => html += "&amp;",
            '<' => html += "&lt;",
            '>' => html += "&gt;",
            '"' => html += "&quot;",
            '\'' => html += "&#39;",
            '\n' | '\t' => html.push(c),
            c if is_hidden(c) => html.extend(c.escape_unicode()),
            c => html.push(c),
        }
    }
    html
}

fn plain(report: &Report) -> String {
    report.outcomes.iter().map(plain_outcome).collect()
}

fn plain_outcome(outcome: &Outcome) -> String {
    let mut html = format!(
        "<section>\n<h2>{}: {}</h2>\n",
        outcome.scenario,
        outcome.verdict.text()
    );
    let reason = outcome.reason.iter().cloned();
    let quoted = outcome.errors.iter().chain(&outcome.notes);
    let quoted = quoted.map(|quote| match quote.count {
        1 => quote.text.clone(),
        count => format!("{count} times: {}", quote.text),
    });
    for text in reason.chain(quoted) {
        let _ = writeln!(html, "<p>{}</p>", escape(&text));
    }
    if let Some(counterexample) = outcome.counterexample() {
        html += &plain_counterexample(counterexample);
    }
    if let Some(again) = &outcome.again {
        let _ = writeln!(
            html,
            "<p>To run it again: <code>{}</code></p>",
            escape(again)
        );
    }
    html + "</section>\n"
}

fn plain_counterexample(counterexample: &Counterexample) -> String {
    let mut html = plain_schedule(&counterexample.steps, &counterexample.ending);
    let Some(comparison) = &counterexample.comparison else {
        return html;
    };
    match &comparison.nearest {
        Some(nearest) => {
            let _ = writeln!(
                html,
                "<h3>The nearest schedule that does not break the lock</h3>\n<p>{}.</p>",
                escape(&nearest.difference)
            );
            html += &plain_schedule(&nearest.steps, &nearest.ending);
        }
        None => {
            let _ = writeln!(
                html,
                "<p>Schedules tried with one change, of which none ended better: {}.</p>",
                comparison.tried
            );
        }
    }
    html
}

/// The steps as a list, with the workers in the section.
fn plain_schedule(steps: &[Step], ending: &str) -> String {
    let mut html = "<ol>\n".to_owned();
    let mut inside: Vec<&str> = Vec::new();
    for step in steps {
        inside.retain(|who| *who != step.who);
        if step.inside {
            inside.push(&step.who);
        }
        let _ = write!(
            html,
            "<li>{}: <code>{}</code>",
            escape(&step.who),
            escape(&step.what)
        );
        if !step.means.is_empty() {
            let _ = write!(html, " ({})", escape(&step.means));
        }
        let holders = escape(&inside.join(" and "));
        match inside.len() {
            0 => {}
            1 => {
                let _ = write!(html, " <small>in the section: {holders}</small>");
            }
            _ => {
                let _ = write!(html, " <strong>in the section at once: {holders}</strong>");
            }
        }
        html += "</li>\n";
    }
    let ending = ending.trim_start_matches("=> ");
    let _ = writeln!(html, "</ol>\n<p><strong>{}</strong></p>", escape(ending));
    html
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::checked::tests::report as any_report;
    use crate::model::{
        Command, Comparison, Evidence, FileKind, FileSnapshot, Nearest, Phase, Scenario, Search,
        Snapshot, Verdict, WorkerSnapshot,
    };

    /// Everything that could end an element, a string or a line.
    const HOSTILE: &str =
        "</script><!--<script>\u{2028}\u{2029}\u{202e}\u{85}\u{7f}\0\"'`${1}&amp;{{data}}]]>";

    fn step(who: usize, inside: bool, text: &str) -> Step {
        let file = FileSnapshot {
            name: text.to_owned(),
            nameless: false,
            kind: FileKind::File,
            inode: 7,
            size: 3,
            content: Some(text.to_owned()),
            mode: "0644".to_owned(),
            age_s: None,
            open: vec![who],
            locks: Vec::new(),
        };
        Step {
            who: format!("worker {who}"),
            worker: Some(who),
            what: format!("unlink {text}"),
            fault: None,
            means: text.to_owned(),
            inside,
            after: Some(Snapshot {
                workers: vec![WorkerSnapshot {
                    phase: Phase::Inside,
                    lease_over: false,
                    wrapper_killed: false,
                }],
                files: vec![file],
                keys: None,
            }),
        }
    }

    fn report(text: &str) -> Report {
        let mut report = any_report(&[(Scenario::Contend, true, Verdict::Broken)]);
        report.command = Command::Explore;
        report.lock.title = text.to_owned();
        let steps = vec![step(0, true, text), step(1, true, text)];
        report.outcomes[0].evidence = Evidence::Search(Box::new(Search {
            counterexample: Some(Counterexample {
                ending: format!("=> {text}"),
                switches: 1,
                same: 10,
                runs: 10,
                before: None,
                steps: steps.clone(),
                overlap: Some(1),
                comparison: Some(Comparison {
                    tried: 2,
                    nearest: Some(Nearest {
                        difference: text.to_owned(),
                        same: 1,
                        ending: text.to_owned(),
                        before: None,
                        steps,
                    }),
                }),
                file: text.to_owned(),
                replay: text.to_owned(),
            }),
            ..Search::default()
        }));
        report
    }

    fn data_in(page: &str) -> &str {
        let (_, data) = page
            .split_once("<script type=\"application/json\" id=\"data\">")
            .unwrap();
        data.split_once("</script>").unwrap().0
    }

    #[test]
    fn no_text_breaks_out_of_the_page() {
        let page = html(&report(HOSTILE));
        let plain = html(&report("lock"));
        for element in ["<script", "</script>", "<!--", "<li>", "<section>"] {
            let count = |page: &str| page.matches(element).count();
            assert_eq!(count(&page), count(&plain), "{element}");
        }
        let mut all = page.chars().filter(|c| !matches!(c, '\n' | '\t'));
        assert!(all.all(|c| !is_hidden(c)));
        // A placeholder in a text is no placeholder.
        assert_eq!(page.matches("\"schema\":2").count(), 1);
        let read: Report = serde_json::from_str(data_in(&page)).unwrap();
        assert_eq!(read.lock.title, HOSTILE);
        let found = read.outcomes[0].counterexample().unwrap();
        let after = found.steps[0].after.as_ref().unwrap();
        assert_eq!(after.files[0].content.as_deref(), Some(HOSTILE));
    }

    #[test]
    fn a_page_needs_no_network() {
        let page = html(&report("lock"));
        for outside in ["http:", "https:", "src=", "@import", "url(", "fetch("] {
            let other = page.replace("http://www.w3.org/2000/svg", "");
            assert!(!other.contains(outside), "{outside}");
        }
    }

    #[test]
    fn without_scripts_the_steps_are_a_list() {
        let page = html(&report("lock"));
        let list = page.split_once("<div id=\"plain\">").unwrap().1;
        let list = list.split_once("</div>").unwrap().0;
        for part in [
            "<h2>contend: BROKEN</h2>",
            "<li>worker 0: <code>unlink lock</code> (lock) <small>in the section: worker 0</small>",
            "<strong>in the section at once: worker 0 and worker 1</strong>",
            "The nearest schedule that does not break the lock",
        ] {
            assert!(list.contains(part), "no {part} in {list}");
        }
    }

    #[test]
    fn a_template_is_filled_once() {
        let filled = fill("a{{x}}b{{y}}", |name| format!("{{{{{name}}}}}"));
        assert_eq!(filled, "a{{x}}b{{y}}");
    }
}
