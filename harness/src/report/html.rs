//! A self-contained page: the report, its timelines and its counterexamples, without a network.

use crate::model::Report;

const PAGE: &str = include_str!("page.html");
const DATA: &str = "\"the data of the report\"";

/// The report as a page.
pub fn html(report: &Report) -> String {
    // Inside a script element, only its end tag could end it.
    let data = serde_json::to_string(report)
        .expect("a report has no map with odd keys")
        .replace("</", "<\\/");
    PAGE.replace(DATA, &data)
}
