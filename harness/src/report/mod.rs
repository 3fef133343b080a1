//! Exporters, one a file, over [`model::Report`](crate::model::Report).

mod github;
mod html;
mod json;
mod junit;
mod text;

pub use github::{annotations, job_summary, workflow_command};
pub use html::html;
pub use json::{json, json_of_all};
pub use junit::{JunitError, junit};
pub use text::{
    checked_line, counted, evidence, finding, fold, headline, name_line, outcome_line, steps,
    steps_in_short, time, verdict_line,
};
