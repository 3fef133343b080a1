//! Parser of the arguments of `cargo test` and `cargo nextest run`, compatible with both.

mod table;

use std::ffi::{OsStr, OsString};

pub use table::{NEXTEST, TEST};

/// An option of cargo.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CargoOption {
    pub short: Option<char>,
    /// Long name without dashes; empty if there is only a short name.
    pub long: &'static str,
    pub takes: Takes,
}

/// The value of an option.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Takes {
    Nothing,
    /// The next word, or the rest of the same word.
    Value,
    /// Like [`Value`](Self::Value), but an option never counts as the value.
    Perhaps,
    /// The text after `=`, if there is one.
    Joined,
}

impl CargoOption {
    /// The option as a user writes it: `--package` or `-Z`.
    pub fn name(&self) -> String {
        match self.short {
            Some(short) if self.long.is_empty() => format!("-{short}"),
            _ => format!("--{}", self.long),
        }
    }
}

/// One argument, as cargo understands it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Argument {
    Option(CargoOption, Option<OsString>),
    /// A word that looks like an option but is not in the table.
    Unknown(OsString),
    Word(OsString),
    /// The words after `--`.
    AfterDashes(Vec<OsString>),
}

/// An argument and the number of its words; 0 for a short option that is not the last in its word.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Parsed {
    pub argument: Argument,
    /// Index of the first word.
    pub at: usize,
    pub words: usize,
}

/// Parses all arguments.
pub fn parse(table: &[CargoOption], words: &[OsString]) -> Vec<Parsed> {
    let mut parsed = Vec::new();
    let mut at = 0;
    while at < words.len() {
        at += parse_one(table, words, at, &mut parsed);
    }
    parsed
}

/// Parses the argument at `at` and returns the number of its words.
pub fn parse_one(
    table: &[CargoOption],
    words: &[OsString],
    at: usize,
    parsed: &mut Vec<Parsed>,
) -> usize {
    let word = &words[at];
    let mut push = |argument, words| {
        parsed.push(Parsed {
            argument,
            at,
            words,
        });
        words
    };
    let bytes = word.as_encoded_bytes();
    if bytes == b"--" {
        let rest = words[at + 1..].to_vec();
        return push(Argument::AfterDashes(rest), words.len() - at);
    }
    if let Some(long) = bytes.strip_prefix(b"--") {
        let (name, joined) = split_at_equals(long);
        let known = |option: &&CargoOption| option.long.as_bytes() == name && !name.is_empty();
        let Some(option) = table.iter().find(known) else {
            return push(Argument::Unknown(word.clone()), 1);
        };
        let (value, count) = value(option, joined, words, at);
        return push(Argument::Option(*option, value), count);
    }
    if bytes.len() < 2 || bytes[0] != b'-' {
        return push(Argument::Word(word.clone()), 1);
    }
    let mut options = Vec::new();
    for (index, &byte) in bytes.iter().enumerate().skip(1) {
        let known = |option: &&CargoOption| option.short == Some(char::from(byte));
        let Some(option) = table.iter().find(known) else {
            return push(Argument::Unknown(word.clone()), 1);
        };
        if option.takes == Takes::Nothing {
            options.push((*option, None));
            continue;
        }
        let rest = &bytes[index + 1..];
        let joined = match rest {
            [] => None,
            [b'=', value @ ..] | value => Some(value),
        };
        let (value, count) = value(option, joined, words, at);
        for (option, value) in options {
            push(Argument::Option(option, value), 0);
        }
        return push(Argument::Option(*option, value), count);
    }
    let last = options.len() - 1;
    for (index, (option, value)) in options.into_iter().enumerate() {
        push(Argument::Option(option, value), usize::from(index == last));
    }
    1
}

/// The value of an option, and the number of words of both.
fn value(
    option: &CargoOption,
    joined: Option<&[u8]>,
    words: &[OsString],
    at: usize,
) -> (Option<OsString>, usize) {
    if let Some(joined) = joined {
        return (Some(part(joined).to_owned()), 1);
    }
    let next = words.get(at + 1);
    let next = match option.takes {
        Takes::Nothing | Takes::Joined => None,
        Takes::Value => next,
        Takes::Perhaps => next.filter(|next| !next.as_encoded_bytes().starts_with(b"-")),
    };
    (next.cloned(), 1 + usize::from(next.is_some()))
}

/// The rest of a word, which begins after a character of an option or after `=`.
fn part(bytes: &[u8]) -> &OsStr {
    // SAFETY: the bytes are the end of an encoded word, and follow an ASCII character in it.
    unsafe { OsStr::from_encoded_bytes_unchecked(bytes) }
}

fn split_at_equals(bytes: &[u8]) -> (&[u8], Option<&[u8]>) {
    match bytes.iter().position(|&byte| byte == b'=') {
        Some(at) => (&bytes[..at], Some(&bytes[at + 1..])),
        None => (bytes, None),
    }
}

/// The arguments of one call, parsed.
pub struct Arguments<'a> {
    pub parsed: Vec<Parsed>,
    words: &'a [OsString],
}

impl<'a> Arguments<'a> {
    pub fn of(table: &[CargoOption], words: &'a [OsString]) -> Self {
        Arguments {
            parsed: parse(table, words),
            words,
        }
    }

    /// The values of `--long`, in order.
    pub fn values(&self, long: &str) -> impl Iterator<Item = &OsStr> {
        self.parsed
            .iter()
            .filter_map(move |parsed| match &parsed.argument {
                Argument::Option(option, value) if option.long == long => value.as_deref(),
                _ => None,
            })
    }

    /// Returns `true` if `--long` is present, with or without a value.
    pub fn has(&self, long: &str) -> bool {
        self.parsed.iter().any(
            |parsed| matches!(parsed.argument, Argument::Option(option, _) if option.long == long),
        )
    }

    /// The words before `--`, and the rest, which begins with `--`.
    pub fn around_dashes(&self) -> (&'a [OsString], &'a [OsString]) {
        let dashes = self
            .parsed
            .iter()
            .find(|parsed| matches!(parsed.argument, Argument::AfterDashes(_)));
        let at = dashes.map_or(self.words.len(), |parsed| parsed.at);
        self.words.split_at(at)
    }
}

/// `--name=value`; the value need not be UTF-8.
pub fn joined(name: &str, value: &OsStr) -> OsString {
    let mut word = OsString::from(name);
    word.push("=");
    word.push(value);
    word
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shown(table: &[CargoOption], line: &str) -> Vec<String> {
        let words: Vec<OsString> = line.split(' ').map(OsString::from).collect();
        parse(table, &words)
            .into_iter()
            .map(|parsed| match parsed.argument {
                Argument::Option(option, None) => option.name(),
                Argument::Option(option, Some(value)) => {
                    format!("{}={}", option.name(), value.display())
                }
                Argument::Unknown(word) => format!("?{}", word.display()),
                Argument::Word(word) => format!("'{}", word.display()),
                Argument::AfterDashes(words) => format!("-- {}", words.len()),
            })
            .collect()
    }

    #[test]
    fn options_and_values_are_distinguished() {
        for (line, expected) in [
            (
                "-plib_a -j2 -j=3",
                vec!["--package=lib_a", "--jobs=2", "--jobs=3"],
            ),
            ("-vqj 4 x", vec!["--verbose", "--quiet", "--jobs=4", "'x"]),
            ("-vv", vec!["--verbose", "--verbose"]),
            ("-p --lib", vec!["--package", "--lib"]),
            (
                "-p lib_a --bin --test it",
                vec!["--package=lib_a", "--bin", "--test=it"],
            ),
            (
                "--timings x --config a=b",
                vec!["--timings", "'x", "--config=a=b"],
            ),
            ("-Zx -Z y", vec!["-Z=x", "-Z=y"]),
            (
                "--new x -y - -- -p z",
                vec!["?--new", "'x", "?-y", "'-", "-- 2"],
            ),
        ] {
            assert_eq!(shown(TEST, line), expected, "{line}");
        }
        assert_eq!(
            shown(NEXTEST, "-j num-cpus -E test(x) -Pci"),
            [
                "--test-threads=num-cpus",
                "--filterset=test(x)",
                "--profile=ci"
            ]
        );
    }

    #[test]
    fn the_words_of_all_arguments_are_all_words() {
        let line = "-vqj 4 x -p y --new -- a b";
        let words: Vec<OsString> = line.split(' ').map(OsString::from).collect();
        let parsed = parse(TEST, &words);
        assert_eq!(
            parsed.iter().map(|parsed| parsed.words).sum::<usize>(),
            words.len()
        );
        let arguments = Arguments::of(TEST, &words);
        assert_eq!(arguments.around_dashes().1.len(), 3);
        assert!(arguments.has("quiet") && !arguments.has("release"));
        assert_eq!(arguments.values("jobs").next(), Some(OsStr::new("4")));
    }

    /// Short name, long name and value of each option in a help text.
    fn in_help(text: &str) -> Vec<(Option<char>, String, Takes)> {
        let mut options = Vec::new();
        for line in text.lines() {
            let mut rest = line.trim_start();
            if let Some(alias) = rest.strip_prefix("[alias: --") {
                let alias = alias.trim_end_matches(']').to_owned();
                let takes = options
                    .last()
                    .map_or(Takes::Nothing, |&(_, _, takes)| takes);
                options.push((None, alias, takes));
                continue;
            }
            if !rest.starts_with('-') || line.len() - rest.len() > 6 || rest.starts_with("- ") {
                continue;
            }
            let mut short = None;
            if !rest.starts_with("--") {
                short = rest.chars().nth(1);
                rest = rest[2..].trim_start_matches([',', ' ']);
            }
            let end = rest.find("  ").unwrap_or(rest.len());
            let (words, _) = rest.split_at(end);
            let (long, value) = match words.strip_prefix("--") {
                None => ("", words),
                Some(words) => match words.find([' ', '[', '.']) {
                    Some(at) => words.split_at(at),
                    None => (words, ""),
                },
            };
            let value = value.trim();
            let takes = match value {
                "" | "..." => Takes::Nothing,
                value if value.starts_with("[=") => Takes::Joined,
                value if value.starts_with('[') => Takes::Perhaps,
                _ => Takes::Value,
            };
            options.push((short, long.to_owned(), takes));
        }
        options
    }

    fn help(arguments: &[&str]) -> String {
        let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
        let output = std::process::Command::new(cargo).args(arguments).output();
        let output = output.expect("cargo runs");
        assert!(output.status.success(), "cargo {arguments:?}");
        String::from_utf8(output.stdout).expect("UTF-8")
    }

    /// The table agrees with every option in the help of this machine's cargo.
    #[test]
    fn the_tables_are_what_cargo_says_itself() {
        for (table, arguments, known_better) in [
            // The help does not mention the optional value of `--timings`.
            (TEST, &["test", "--help"][..], &["timings"][..]),
            (NEXTEST, &["nextest", "run", "--help"], &[]),
        ] {
            let listed = in_help(&help(arguments));
            assert!(listed.len() > 35, "cargo {arguments:?}: {listed:?}");
            for (short, long, takes) in listed {
                let found = table.iter().find(|option| {
                    option.long == long && (!long.is_empty() || option.short == short)
                });
                let found =
                    found.unwrap_or_else(|| panic!("cargo {arguments:?} has --{long}, {short:?}"));
                assert_eq!(found.short, short, "--{long}");
                if !known_better.contains(&&*long) {
                    assert_eq!(found.takes, takes, "cargo {arguments:?}: --{long}");
                }
            }
        }
    }

    /// The manual and the help each list options that the other omits.
    #[test]
    fn the_manual_names_no_option_that_is_not_in_the_table() {
        let manual = help(&["help", "test"]);
        let mut seen = 0;
        for line in manual.lines() {
            // An option is indented by seven columns.
            let Some(options) = line
                .strip_prefix("       ")
                .filter(|rest| rest.starts_with('-'))
            else {
                continue;
            };
            for option in options.split(", ") {
                let Some(long) = option.trim().strip_prefix("--") else {
                    continue;
                };
                let long: String = long
                    .chars()
                    .take_while(|c| c.is_ascii_alphanumeric() || *c == '-')
                    .collect();
                if long.is_empty() {
                    continue;
                }
                seen += 1;
                assert!(table_has(&long), "cargo help test names --{long}");
            }
        }
        assert!(seen > 30, "the manual was not understood: {manual}");
    }

    fn table_has(long: &str) -> bool {
        TEST.iter().any(|option| option.long == long)
    }
}
