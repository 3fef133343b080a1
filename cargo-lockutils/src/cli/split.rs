//! Separation of our arguments from cargo's.

use std::ffi::{OsStr, OsString};

use clap::CommandFactory;

use super::Cli;
use crate::cargo_options::{self, Argument, CargoOption, NEXTEST, TEST};

/// Separates our own options, wherever they stand before `--`, from cargo's arguments.
///
/// `cargo lockutils …` runs `cargo-lockutils lockutils …`; the extra word is dropped.
pub fn split(arguments: impl IntoIterator<Item = OsString>) -> (Vec<OsString>, Vec<OsString>) {
    let mut arguments: Vec<OsString> = arguments.into_iter().collect();
    if arguments.get(1).is_some_and(|word| word == "lockutils") {
        arguments.remove(1);
    }
    let root = Cli::command();
    let mut at = 1;
    while let Some(length) = arguments
        .get(at)
        .and_then(|word| our_option(&root, &root, word))
    {
        at += length;
    }
    let Some(name) = arguments.get(at).and_then(|name| name.to_str()) else {
        return (arguments, Vec::new());
    };
    let table = match name {
        "test" => TEST,
        "nextest" => NEXTEST,
        _ => return (arguments, Vec::new()),
    };
    let Some(command) = root.find_subcommand(name) else {
        return (arguments, Vec::new());
    };
    let rest = arguments.split_off(at + 1);
    let passed_on = take_ours(&root, command, table, &rest, &mut arguments);
    (arguments, passed_on)
}

/// Appends our words to `ours` and returns cargo's.
fn take_ours(
    root: &clap::Command,
    command: &clap::Command,
    table: &[CargoOption],
    words: &[OsString],
    ours: &mut Vec<OsString>,
) -> Vec<OsString> {
    let mut passed_on = Vec::new();
    let mut at = 0;
    while at < words.len() {
        if let Some(length) = our_option(root, command, &words[at]) {
            let end = words.len().min(at + length);
            ours.extend_from_slice(&words[at..end]);
            at = end;
            continue;
        }
        let mut parsed = Vec::new();
        let length = cargo_options::parse_one(table, words, at, &mut parsed);
        let misspelt = parsed.iter().any(|parsed| {
            matches!(&parsed.argument, Argument::Unknown(word) if is_like_ours(command, word))
        });
        // Clap suggests the right spelling.
        let side = if misspelt { &mut *ours } else { &mut passed_on };
        side.extend_from_slice(&words[at..at + length]);
        at += length;
    }
    passed_on
}

/// Number of words of this option and its value, if the option is ours.
fn our_option(root: &clap::Command, command: &clap::Command, word: &OsStr) -> Option<usize> {
    let word = word.to_str()?;
    if matches!(word, "--help" | "-h" | "--version" | "-V") {
        return Some(1);
    }
    let (long, joined) = match word.strip_prefix("--")?.split_once('=') {
        Some((long, _)) => (long, true),
        None => (word.strip_prefix("--")?, false),
    };
    let option = command
        .get_arguments()
        .chain(root.get_arguments())
        .find(|option| option.get_long() == Some(long))?;
    let value_follows = !joined && option.get_action().takes_values();
    Some(1 + usize::from(value_follows))
}

/// Returns `true` if the word, unknown to us and to cargo, is a misspelt option of ours.
fn is_like_ours(command: &clap::Command, word: &OsStr) -> bool {
    let word = word.to_string_lossy();
    let Some(long) = word.strip_prefix("--") else {
        return false;
    };
    let long = long.split('=').next().unwrap_or(long);
    command
        .get_arguments()
        .filter_map(clap::Arg::get_long)
        .any(|ours| strsim::damerau_levenshtein(ours, long) <= 2 && long.len() > 3)
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
    fn our_options_are_ours_wherever_they_stand() {
        for (line, ours, passed_on) in [
            ("c lockutils test", "c test", ""),
            ("c test -- --nocapture", "c test", "-- --nocapture"),
            (
                "c lockutils --color never test --isolate binary --keep -p x --lock-path y",
                "c --color never test --isolate binary --keep --lock-path y",
                "-p x",
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
            ("c test -p --keep", "c test --keep", "-p"),
            ("c test --bin --keep x", "c test --keep", "--bin x"),
            ("c test --exclude --keep x", "c test", "--exclude --keep x"),
            ("c test -- --keep", "c test", "-- --keep"),
            (
                "c nextest -j4 x --isolate test -E a",
                "c nextest --isolate test",
                "-j4 x -E a",
            ),
            ("c test --isolte binary", "c test --isolte", "binary"),
            ("c test --no-such-option", "c test", "--no-such-option"),
            ("c run -- test --keep", "c run -- test --keep", ""),
        ] {
            assert_eq!(split_words(line), (ours.into(), passed_on.into()), "{line}");
        }
    }

    /// Except for options that cargo has too and that are passed on.
    #[test]
    fn no_option_of_ours_hides_one_of_cargos() {
        let root = Cli::command();
        for (name, table) in [("test", TEST), ("nextest", NEXTEST)] {
            let ours = root.find_subcommand(name).unwrap().get_arguments();
            for long in ours.filter_map(clap::Arg::get_long) {
                assert!(
                    table.iter().all(|option| option.long != long),
                    "{name} --{long}"
                );
            }
        }
    }
}
