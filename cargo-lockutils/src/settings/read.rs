//! Deserialization of our tables, with errors that name the key and suggest a spelling.

use anyhow::{Result, anyhow};
use serde::de::DeserializeOwned;

use crate::cli::values::did_you_mean;

/// Deserializes the table `table` of the manifest `manifest`.
pub fn read<T: DeserializeOwned + Default>(
    value: Option<&serde_json::Value>,
    table: &str,
    manifest: &str,
) -> Result<T> {
    let Some(value) = value else {
        return Ok(T::default());
    };
    serde_path_to_error::deserialize(value).map_err(|error| {
        let path = error.path().to_string();
        let at = match path.as_str() {
            "." => String::new(),
            path => format!(" at `{path}`"),
        };
        let why = with_suggestion(error.inner().to_string());
        anyhow!("[{table}] in {manifest}{at}: {why}")
    })
}

/// Adds a suggestion to serde's "unknown field `x`, expected one of `a`, `b`".
fn with_suggestion(message: String) -> String {
    if !message.starts_with("unknown ") || message.contains("did you mean") {
        return message;
    }
    let quoted: Vec<&str> = message.split('`').skip(1).step_by(2).collect();
    match quoted.split_first() {
        Some((wrong, known)) => match did_you_mean(wrong, known) {
            Some(meant) => format!("{message}; did you mean `{meant}`?"),
            None => message,
        },
        None => message,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::settings::model::WorkspaceSettings;

    fn error(toml: &str) -> String {
        let table: toml::Value = toml::from_str(toml).unwrap();
        let value = serde_json::to_value(table).unwrap();
        let read: Result<WorkspaceSettings> = read(Some(&value), "t", "m");
        read.map(|settings| format!("{settings:?}"))
            .unwrap_err()
            .to_string()
    }

    #[test]
    fn an_error_names_the_place_and_what_was_meant() {
        for (toml, parts) in [
            (
                "isolat = 'run'",
                [
                    "[t] in m",
                    "unknown field `isolat`",
                    "did you mean `isolate`?",
                ],
            ),
            (
                "isolate = 'binry'",
                ["at `isolate`", "`binry`", "did you mean `binary`?"],
            ),
            (
                "[[lock]]\nname = 'x'\nwraper = ['flock']",
                ["at `lock[0].wraper`", "`wraper`", "did you mean `wrapper`?"],
            ),
            (
                "[[lock]]\nname = 'x'\nscenarios = ['contnd']",
                [
                    "at `lock[0].scenarios`",
                    "`contnd`",
                    "did you mean `contend`?",
                ],
            ),
            (
                "[[lock]]\nname = 'x'\nexpect = { die = 'brokn' }",
                ["at `lock[0].expect", "`brokn`", "did you mean `broken`?"],
            ),
            (
                "[profiles.nightly]\ndurations = '1m'",
                [
                    "at `profiles.nightly.durations`",
                    "`durations`",
                    "did you mean `duration`?",
                ],
            ),
            (
                "[profiles.nightly]\nduration = 'long'",
                ["duration", "a time is a number and a unit", ""],
            ),
            (
                "[[lock]]\nworker = 'x'",
                ["at `lock[0]`", "missing field `name`", ""],
            ),
        ] {
            let error = error(toml);
            for part in parts {
                assert!(error.contains(part), "no `{part}` in: {error}");
            }
        }
    }
}
