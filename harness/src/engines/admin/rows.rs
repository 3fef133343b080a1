//! The results of administrative commands.

/// The rows that a command returns.
pub type Rows = Vec<Vec<String>>;
