//! `cargo lockutils nextest`: cargo nextest run with an isolated lock path, and the doctests that it leaves out.

use std::ffi::OsString;

use anyhow::Result;

use crate::PassedOn;
use crate::cargo_run::CargoRun;
use crate::cli::TestOptions;

/// Options that cargo test knows as well, and whether a value follows.
const SHARED: [(&str, bool); 24] = [
    ("-p", true),
    ("--package", true),
    ("--workspace", false),
    ("--all", false),
    ("--exclude", true),
    ("-F", true),
    ("--features", true),
    ("--all-features", false),
    ("--no-default-features", false),
    ("-r", false),
    ("--release", false),
    ("--cargo-profile", true),
    ("--target", true),
    ("--target-dir", true),
    ("--manifest-path", true),
    ("--locked", false),
    ("--offline", false),
    ("--frozen", false),
    ("--config", true),
    ("-Z", true),
    ("--color", true),
    ("--ignore-rust-version", false),
    ("-j", true),
    ("--build-jobs", true),
];

/// What only nextest knows and what leaves the choice of tests as it is; with a value or without.
const ONLY_NEXTEST: [(&str, bool); 20] = [
    ("-P", true),
    ("--profile", true),
    ("--no-fail-fast", false),
    ("--fail-fast", false),
    ("--max-fail", true),
    ("--test-threads", true),
    ("--retries", true),
    ("--no-capture", false),
    ("--nocapture", false),
    ("--success-output", true),
    ("--failure-output", true),
    ("--status-level", true),
    ("--final-status-level", true),
    ("--hide-progress-bar", false),
    ("--show-progress", true),
    ("--no-tests", true),
    ("--config-file", true),
    ("--tool-config-file", true),
    ("--message-format", true),
    ("--verbose", false),
];

pub fn run(
    options: TestOptions,
    no_doctests: bool,
    color: Option<&'static str>,
    passed_on: PassedOn,
) -> Result<u8> {
    let (mut run, passed_on) = CargoRun::prepare("nextest", options, color, passed_on)?;
    let status = tests_and_doctests(&mut run, no_doctests, &passed_on);
    run.finish_with(status)
}

fn tests_and_doctests(run: &mut CargoRun, no_doctests: bool, passed_on: &PassedOn) -> Result<u8> {
    let status = run.cargo(&["nextest", "run"], passed_on, true)?;
    let wanted = !no_doctests && run.has_library();
    match for_doctests(passed_on).filter(|_| wanted && status == 0) {
        Some(arguments) => run.cargo(&["test", "--doc"], &arguments, false),
        None => Ok(status),
    }
}

/// The arguments in cargo test's words, unless they select tests, and so leave the doctests out.
fn for_doctests(passed_on: &PassedOn) -> Option<PassedOn> {
    let mut doctests = PassedOn::new();
    let mut arguments = passed_on.iter();
    while let Some(argument) = arguments.next() {
        let text = argument.to_str()?;
        let (name, inline) = match text.split_once('=') {
            Some((name, value)) => (name, Some(value)),
            None => (text, None),
        };
        let known = |options: &[(&str, bool)]| {
            let (_, takes_value) = options.iter().find(|(option, _)| *option == name)?;
            Some(*takes_value && inline.is_none())
        };
        if let Some(value_follows) = known(&SHARED) {
            let name = match name {
                "--cargo-profile" => "--profile",
                "--build-jobs" => "--jobs",
                name => name,
            };
            doctests.push(match inline {
                Some(value) => OsString::from(format!("{name}={value}")),
                None => OsString::from(name),
            });
            if value_follows {
                doctests.push(arguments.next()?.clone());
            }
        } else {
            let value_follows = known(&ONLY_NEXTEST)?;
            if value_follows {
                arguments.next()?;
            }
        }
    }
    Some(doctests)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn doctests(arguments: &str) -> Option<String> {
        let arguments = arguments.split_whitespace().map(OsString::from).collect();
        for_doctests(&arguments)
            .map(|arguments| arguments.join(" ".as_ref()).into_string().unwrap())
    }

    #[test]
    fn the_arguments_are_translated() {
        assert_eq!(doctests(""), Some(String::new()));
        assert_eq!(
            doctests("-p x --profile ci --cargo-profile=fast --retries 2 --workspace").as_deref(),
            Some("-p x --profile=fast --workspace")
        );
    }

    #[test]
    fn a_selection_of_tests_leaves_the_doctests_out() {
        for selection in [
            "name_of_a_test",
            "-E test(x)",
            "--lib",
            "--partition hash:1/2",
            "-- --skip x",
        ] {
            assert_eq!(doctests(selection), None, "{selection}");
        }
    }
}
