//! Exporters, one a file, over [`model::Report`](crate::model::Report).

mod github;
mod html;
mod junit;
mod text;

pub use github::{annotations, job_summary, workflow_command};
pub use html::html;
pub use junit::junit;
pub use text::{counted, headline, outcome_line, story, verdict_line};
