//! `cargo lockutils nextest`: cargo nextest run with an isolated lock path, and then the doctests.

use std::ffi::OsString;

use anyhow::Result;

use crate::cargo_options::{Argument, CargoOption, NEXTEST, TEST, joined, parse};
use crate::cargo_run::{CargoRun, Once, Runner};
use crate::cli::PassedOn;
use crate::cli::TestOptions;
use crate::sys::Status;
use crate::{child, output};

pub fn run(
    options: TestOptions,
    no_doctests: bool,
    color: Option<&'static str>,
    passed_on: PassedOn,
) -> Result<Status> {
    let (run, passed_on) = CargoRun::prepare(Runner::Nextest, options, color, passed_on)?;
    let doctests = match no_doctests {
        true => Doctests::NotWanted,
        false => for_doctests(&passed_on),
    };
    // Computed once, and only if needed: it asks cargo.
    let mut arguments: Option<Option<PassedOn>> = None;
    run.repeat(|once| {
        let status = once.cargo(&["nextest", "run"], NEXTEST, &passed_on, true)?;
        let selected = match &doctests {
            Doctests::NotWanted => return Ok(status),
            Doctests::LeftOut(by) => {
                output::note(format_args!(
                    "doctests skipped: `{}` selects tests; to run them: cargo lockutils test --doc",
                    output::printable(by)
                ));
                return Ok(status);
            }
            Doctests::With(selected) => selected,
        };
        if arguments.is_none() {
            arguments = Some(once.run.doctest_arguments(selected)?);
        }
        match arguments.as_ref().and_then(Option::as_ref) {
            Some(arguments) => after(once, status, arguments),
            None => Ok(status),
        }
    })
}

/// Runs the doctests after nextest has exited with `status`.
fn after(once: &mut Once<'_>, status: Status, arguments: &PassedOn) -> Result<Status> {
    if status != 0 && !once.run.no_fail_fast {
        output::note("doctests skipped, because tests failed; --no-fail-fast runs them anyway");
        return Ok(status);
    }
    if child::interrupted().is_some() {
        return Ok(status);
    }
    let doctests = once.cargo(&["test", "--doc"], TEST, arguments, false)?;
    Ok(if status == 0 { doctests } else { status })
}

/// The doctests after nextest.
#[derive(Debug, PartialEq, Eq)]
enum Doctests {
    /// Run with these arguments of cargo test.
    With(PassedOn),
    /// Skipped because of this argument, which selects tests or is unknown.
    LeftOut(String),
    /// Skipped without a note.
    NotWanted,
}

/// The meaning of a nextest option for `cargo test --doc`.
enum Meaning {
    /// The same option under this name.
    Same(String),
    /// None: the option concerns how nextest runs and shows tests.
    Nothing,
    /// It selects tests.
    Selects,
    NothingRuns,
    /// The number of concurrent tests.
    Threads,
    /// The treatment of ignored tests.
    RunIgnored,
}

fn meaning(option: &CargoOption) -> Meaning {
    use Meaning::{Nothing, NothingRuns, RunIgnored, Same, Selects, Threads};
    match option.long {
        "package"
        | "workspace"
        | "exclude"
        | "all"
        | "features"
        | "all-features"
        | "no-default-features"
        | "release"
        | "target"
        | "target-dir"
        | "manifest-path"
        | "frozen"
        | "locked"
        | "offline"
        | "ignore-rust-version"
        | "future-incompat-report"
        | "config"
        | "color"
        | "lockfile-path"
        | "" => Same(option.name()),
        "cargo-profile" => Same("--profile".into()),
        "build-jobs" => Same("--jobs".into()),
        "cargo-quiet" => Same("--quiet".into()),
        "cargo-verbose" => Same("--verbose".into()),
        "no-fail-fast" | "nff" => Same("--no-fail-fast".into()),
        "test-threads" | "jobs" => Threads,
        "run-ignored" => RunIgnored,
        "no-run" | "unit-graph" => NothingRuns,
        "no-pager"
        | "verbose"
        | "timings"
        | "cargo-message-format"
        | "ignore-default-filter"
        | "retries"
        | "flaky-result"
        | "fail-fast"
        | "ff"
        | "max-fail"
        | "no-tests"
        | "no-capture"
        | "nocapture"
        | "stress-count"
        | "stress-duration"
        | "failure-output"
        | "success-output"
        | "status-level"
        | "final-status-level"
        | "no-output-indent"
        | "show-progress"
        | "hide-progress-bar"
        | "no-input-handler"
        | "max-progress-running"
        | "message-format"
        | "message-format-version"
        | "config-file"
        | "user-config-file"
        | "tool-config-file"
        | "override-version-check"
        | "profile"
        | "platform-filter" => Nothing,
        _ => Selects,
    }
}

/// Translates the arguments to those of cargo test, unless they select tests.
fn for_doctests(passed_on: &PassedOn) -> Doctests {
    let mut cargo = PassedOn::new();
    let mut rustdoc = PassedOn::new();
    for parsed in parse(NEXTEST, passed_on) {
        let (option, value) = match parsed.argument {
            Argument::Option(option, value) => (option, value),
            Argument::Unknown(word) | Argument::Word(word) => {
                return Doctests::LeftOut(word.to_string_lossy().into_owned());
            }
            Argument::AfterDashes(words) => {
                let filter = words.iter().find(|word| !is_for_all_tests(word));
                if let Some(filter) = filter {
                    return Doctests::LeftOut(filter.to_string_lossy().into_owned());
                }
                rustdoc.extend(words);
                continue;
            }
        };
        match meaning(&option) {
            Meaning::Nothing => {}
            Meaning::NothingRuns => return Doctests::NotWanted,
            Meaning::Selects => return Doctests::LeftOut(option.name()),
            // `-Z x` has no long form.
            Meaning::Same(name) if !name.starts_with("--") => {
                cargo.push(name.into());
                cargo.extend(value);
            }
            Meaning::Same(name) => cargo.push(match value {
                Some(value) => joined(&name, &value),
                None => name.into(),
            }),
            Meaning::Threads => {
                // `num-cpus` is the default anyway, and rustdoc accepts no negative number.
                let number = value.and_then(|value| value.to_str()?.parse::<usize>().ok());
                rustdoc.extend(number.map(|n| OsString::from(format!("--test-threads={n}"))));
            }
            Meaning::RunIgnored => match value.as_ref().and_then(|value| value.to_str()) {
                Some("all") => rustdoc.push("--include-ignored".into()),
                Some("only" | "ignored-only") => rustdoc.push("--ignored".into()),
                _ => {}
            },
        }
    }
    if !rustdoc.is_empty() {
        cargo.push("--".into());
        cargo.extend(rustdoc);
    }
    Doctests::With(cargo)
}

/// Returns `true` for options of test binaries that apply to all tests.
fn is_for_all_tests(word: &OsString) -> bool {
    [
        "--nocapture",
        "--no-capture",
        "--ignored",
        "--include-ignored",
    ]
    .iter()
    .any(|option| word == option)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn doctests(arguments: &str) -> Option<String> {
        let arguments = arguments.split_whitespace().map(OsString::from).collect();
        match for_doctests(&arguments) {
            Doctests::With(arguments) => Some(arguments.join(" ".as_ref()).into_string().unwrap()),
            _ => None,
        }
    }

    #[test]
    fn the_arguments_are_translated() {
        for (nextest, cargo) in [
            ("", ""),
            (
                "-p x --profile ci --cargo-profile=fast --retries 2 --workspace",
                "--package=x --profile=fast --workspace",
            ),
            (
                "-v -plib_a -rF a,b",
                "--package=lib_a --release --features=a,b",
            ),
            ("-j2", "-- --test-threads=2"),
            ("-j num-cpus", ""),
            ("--no-fail-fast -Zx", "--no-fail-fast -Z x"),
            (
                "--run-ignored all --build-jobs 3",
                "--jobs=3 -- --include-ignored",
            ),
            ("-- --nocapture", "-- --nocapture"),
        ] {
            assert_eq!(doctests(nextest).as_deref(), Some(cargo), "{nextest}");
        }
    }

    #[test]
    fn a_selection_of_tests_leaves_the_doctests_out() {
        for selection in [
            "name_of_a_test",
            "-E test(x)",
            "--lib",
            "--partition hash:1/2",
            "-- --skip x",
            "--no-run",
            "--an-option-of-tomorrow",
        ] {
            assert_eq!(doctests(selection), None, "{selection}");
        }
    }

    /// Every translated option exists in cargo test.
    #[test]
    fn what_is_handed_on_is_an_option_of_cargo_test() {
        for option in NEXTEST {
            if let Meaning::Same(name) = meaning(option) {
                assert!(TEST.iter().any(|theirs| theirs.name() == name), "{name}");
            }
        }
    }
}
