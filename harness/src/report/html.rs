//! One file that shows the card and lets one look into its timelines, without anything from the network.

use crate::model::Report;

const PAGE: &str = include_str!("page.html");
const DATA: &str = "\"the data of the card\"";

/// The card as a page.
pub fn html(card: &Report) -> String {
    // Inside a script, only the end of the script could end it.
    let data = serde_json::to_string(card)
        .expect("the card has no map with odd keys")
        .replace("</", "<\\/");
    PAGE.replace(DATA, &data)
}
