//! The options of `merge`.

use std::path::PathBuf;

use clap::Args;

use super::trial::ReportOptions;

#[derive(Args, Clone, Debug)]
pub struct MergeOptions {
    /// Reports in JSON, of `explore` or of `stress`
    #[arg(required = true, value_name = "REPORT")]
    pub files: Vec<PathBuf>,
    #[command(flatten)]
    pub reports: ReportOptions,
}
