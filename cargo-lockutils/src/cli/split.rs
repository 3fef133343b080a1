//! Where our arguments end and those of cargo begin.

use std::ffi::{OsStr, OsString};

use clap::CommandFactory;

use super::Cli;

/// Separates our own arguments from those of cargo, which follow them and are not looked into.
///
/// `cargo lockutils …` calls us as `cargo-lockutils lockutils …`; that word is dropped.
pub fn split(arguments: impl IntoIterator<Item = OsString>) -> (Vec<OsString>, Vec<OsString>) {
    let mut arguments: Vec<OsString> = arguments.into_iter().collect();
    if arguments.get(1).is_some_and(|word| word == "lockutils") {
        arguments.remove(1);
    }
    let root = Cli::command();
    let mut at = skip_options(&root, &root, &arguments, 1);
    let Some(name) = arguments.get(at).and_then(|name| name.to_str()) else {
        return (arguments, Vec::new());
    };
    let Some(command) = root
        .find_subcommand(name)
        .filter(|_| matches!(name, "test" | "nextest"))
    else {
        return (arguments, Vec::new());
    };
    at = skip_options(&root, command, &arguments, at + 1);
    let passed_on = arguments.split_off(at);
    (arguments, passed_on)
}

/// The index of the first argument from `at` on that is not an option of `command`, nor the value of one.
fn skip_options(
    root: &clap::Command,
    command: &clap::Command,
    arguments: &[OsString],
    mut at: usize,
) -> usize {
    while let Some(argument) = arguments.get(at) {
        match takes_value(root, command, argument) {
            None => return at,
            Some(false) => at += 1,
            Some(true) => at += 2,
        }
    }
    arguments.len()
}

/// Whether the next argument belongs to this option, if it is one of ours.
fn takes_value(root: &clap::Command, command: &clap::Command, argument: &OsStr) -> Option<bool> {
    let argument = argument.to_str()?;
    if matches!(argument, "--help" | "-h" | "--version" | "-V") {
        return Some(false);
    }
    let (long, value) = match argument.strip_prefix("--")?.split_once('=') {
        Some((long, _)) => (long, true),
        None => (argument.strip_prefix("--")?, false),
    };
    let option = command
        .get_arguments()
        .chain(root.get_arguments())
        .find(|option| option.get_long() == Some(long))?;
    Some(!value && option.get_action().takes_values())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn words(text: &str) -> Vec<OsString> {
        text.split(' ').map(OsString::from).collect()
    }

    fn split_words(text: &str) -> (String, String) {
        let (ours, passed_on) = split(words(text));
        let join = |words: Vec<OsString>| words.join(OsStr::new(" ")).into_string().unwrap();
        (join(ours), join(passed_on))
    }

    #[test]
    fn our_options_come_first_and_the_rest_is_passed_on() {
        for (line, ours, passed_on) in [
            ("c lockutils test", "c test", ""),
            ("c test -- --nocapture", "c test", "-- --nocapture"),
            (
                "c lockutils --color never test --isolate binary --keep -p x --lock-path y",
                "c --color never test --isolate binary --keep",
                "-p x --lock-path y",
            ),
            (
                "c test --isolate=run --workspace",
                "c test --isolate=run",
                "--workspace",
            ),
            (
                "c nextest --no-doctests run_this",
                "c nextest --no-doctests",
                "run_this",
            ),
            ("c test lockutils", "c test", "lockutils"),
            ("c run -- test --keep", "c run -- test --keep", ""),
        ] {
            assert_eq!(split_words(line), (ours.into(), passed_on.into()), "{line}");
        }
    }
}
