//! The vocabulary of the interface: public names, help, docs and messages use the terms of the
//! field, and none that such a term has replaced.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use lockutils_tests::command::{folder, text, workspace};
use proc_macro2::{Delimiter, TokenStream, TokenTree};

/// Where a word must not appear.
#[derive(Clone, Copy, PartialEq)]
enum Kind {
    /// Nowhere, in upper or lower case.
    Word,
    /// Not as the name of a type: the word itself is ordinary English.
    Type,
    /// Nowhere, as a part of any text.
    Phrase,
}

use Kind::{Phrase, Type, Word};

/// Each replaced word or phrase, and the term to use instead.
const REPLACED: &[(&str, Kind, &str)] = &[
    (
        "foreign",
        Word,
        "`workers` for drivers of workers; else say what it is",
    ),
    ("recruiter", Word, "`WorkerSpawner`"),
    ("crew", Word, "`WorkerPool`"),
    ("befall", Word, "`inject`"),
    ("befalls", Word, "`inject`"),
    ("befell", Word, "`inject`"),
    ("suffer", Word, "`inject`"),
    ("suffers", Word, "`inject`"),
    ("deed", Word, "`fault`"),
    ("deeds", Word, "`faults`"),
    ("chooser", Word, "`Scheduler`"),
    ("sofar", Word, "`Progress`"),
    ("parties", Word, "`workers`"),
    ("made_once", Word, "`once`"),
    ("Happening", Type, "`Fault`"),
    ("Told", Type, "`Command`"),
    ("Stage", Type, "`Controller`"),
    ("Scene", Type, "`RunConfig`"),
    ("Judged", Type, "`CheckedReport`"),
    ("Tally", Type, "`Statistics`"),
    ("Plot", Type, "`Scenario`"),
    ("Meant", Type, "`Target`"),
    ("Missed", Type, "`AcquireFailure`"),
    ("Patience", Type, "`WaitLimit`"),
    ("world", Word, "`lock_table`"),
    ("--processes", Phrase, "`--workers`"),
    ("--parties", Phrase, "`--workers`"),
    ("--budget", Phrase, "`--duration`"),
    (
        "was in, ",
        Phrase,
        "`worker 1 entered while worker 0 held the lock`",
    ),
    ("came in as well", Phrase, "`entered while … held the lock`"),
    ("both in for", Phrase, "`overlap:`"),
    ("in all that was tried", Phrase, "`no violation found`"),
    ("in brackets", Phrase, "`parentheses mark …`"),
    ("nothing found", Phrase, "`no violation found`"),
];

/// Places that keep an old word because a file format contains it: path and word.
const KEPT: &[(&str, &str)] = &[
    ("docs/reference/counterexample.md", "parties"),
    ("harness/src/explore/counterexample.rs", "parties"),
    ("harness/src/properties.rs", "parties"),
];

/// Words of a text; an underscore belongs to its word.
fn words(text: &str) -> impl Iterator<Item = &str> {
    text.split(|c: char| !c.is_alphanumeric() && c != '_')
        .filter(|word| !word.is_empty())
}

/// The parts of an identifier: `WorkerPool` and `worker_pool` both give `worker` and `pool`.
fn parts(identifier: &str) -> Vec<String> {
    let mut parts: Vec<String> = Vec::new();
    let mut begins = true;
    for c in identifier.chars() {
        if c == '_' {
            begins = true;
            continue;
        }
        if begins || c.is_uppercase() {
            parts.push(String::new());
        }
        begins = false;
        let part = parts.last_mut().expect("a part has begun");
        part.extend(c.to_lowercase());
    }
    parts
}

/// The replaced words of a text for people, each with its replacement.
fn in_text(text: &str) -> Vec<(&'static str, &'static str)> {
    let text = text.split_whitespace().collect::<Vec<_>>().join(" ");
    let lower = text.to_lowercase();
    let is_there = |word: &str, kind| match kind {
        Word => words(&lower).any(|one| one == word),
        Type => text.contains(&format!("`{word}`")) || text.contains(&format!("`{word}::")),
        Phrase => lower.contains(word),
    };
    found(is_there)
}

/// The replaced words among the parts of public names.
fn in_names(text: &str) -> Vec<(&'static str, &'static str)> {
    let identifiers: BTreeSet<&str> = words(text).collect();
    let parts: BTreeSet<String> = identifiers.iter().flat_map(|name| parts(name)).collect();
    found(|word, kind| match kind {
        Word => identifiers.contains(word) || parts.contains(word),
        Type => parts.contains(&word.to_lowercase()),
        Phrase => false,
    })
}

fn found(is_there: impl Fn(&str, Kind) -> bool) -> Vec<(&'static str, &'static str)> {
    REPLACED
        .iter()
        .filter(|(word, kind, _)| is_there(word, *kind))
        .map(|(word, _, instead)| (*word, *instead))
        .collect()
}

/// Complaints about one place, without the words that a format keeps there.
fn complaints(place: &str, found: Vec<(&'static str, &'static str)>) -> Vec<String> {
    found
        .into_iter()
        .filter(|(word, _)| !KEPT.contains(&(place, word)))
        .map(|(word, instead)| format!("{place}: `{word}`; use {instead}"))
        .collect()
}

fn assert_none(complaints: &[String]) {
    assert!(complaints.is_empty(), "\n{}", complaints.join("\n"));
}

fn files_in(folder: &Path, extension: &str, found: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(folder).expect("a folder") {
        let path = entry.expect("an entry").path();
        if path.is_dir() {
            files_in(&path, extension, found);
        } else if path.extension().is_some_and(|own| own == extension) {
            found.push(path);
        }
    }
}

/// The files below some folders of the workspace, with their paths there.
fn files(folders: &[&str], extension: &str) -> Vec<(String, String)> {
    let workspace = workspace();
    let mut paths = Vec::new();
    for folder in folders {
        files_in(&workspace.join(folder), extension, &mut paths);
    }
    assert!(!paths.is_empty(), "{folders:?}");
    paths.sort();
    paths
        .into_iter()
        .map(|path| {
            let place = path.strip_prefix(&workspace).expect("in the workspace");
            let text = fs::read_to_string(&path).expect("a text");
            (place.display().to_string(), text)
        })
        .collect()
}

#[test]
fn public_names() {
    let mut complaints = Vec::new();
    for (place, text) in files(&["docs/reference"], "txt") {
        complaints.extend(self::complaints(&place, in_names(&text)));
    }
    assert_none(&complaints);
}

#[test]
fn docs() {
    let mut pages = files(&["docs"], "md");
    let readme = fs::read_to_string(workspace().join("README.md")).expect("the README");
    pages.push(("README.md".into(), readme));
    let complaints: Vec<String> = pages
        .iter()
        .flat_map(|(place, text)| complaints(place, in_text(text)))
        .collect();
    assert_none(&complaints);
}

#[test]
fn help() {
    let program = folder().join("cargo-lockutils");
    let help = |arguments: &[&str]| {
        let output = Command::new(&program).args(arguments).output();
        let output = output.expect("the command runs");
        assert!(output.status.success(), "{arguments:?}: {}", text(&output));
        text(&output)
    };
    let whole = help(&["--help"]);
    let (_, list) = whole.split_once("Commands:\n").expect("subcommands");
    let subcommands: Vec<&str> = list
        .lines()
        .take_while(|line| !line.is_empty())
        .filter(|line| !line.starts_with("   "))
        .filter_map(|line| line.split_whitespace().next())
        .filter(|name| *name != "help")
        .collect();
    assert!(subcommands.len() > 10, "{subcommands:?}");
    let mut complaints = complaints("--help", in_text(&whole));
    for name in subcommands {
        for option in ["--help", "-h"] {
            let place = format!("{name} {option}");
            complaints.extend(self::complaints(&place, in_text(&help(&[name, option]))));
        }
    }
    assert_none(&complaints);
}

/// The string literals of a source, except those of attributes: the help has its own test, and
/// hidden aliases are for old command lines.
fn literals(tokens: TokenStream, found: &mut Vec<String>) {
    let mut after_hash = false;
    for token in tokens {
        match &token {
            TokenTree::Group(group) if after_hash && group.delimiter() == Delimiter::Bracket => {}
            TokenTree::Group(group) => literals(group.stream(), found),
            TokenTree::Literal(literal) => {
                if let Ok(text) = syn::parse_str::<syn::LitStr>(&literal.to_string()) {
                    found.push(text.value());
                }
            }
            _ => {}
        }
        // An attribute is `#[…]` or `#![…]`.
        let goes_on = matches!(&token, TokenTree::Punct(p) if p.as_char() == '!');
        after_hash =
            matches!(&token, TokenTree::Punct(p) if p.as_char() == '#') || (after_hash && goes_on);
    }
}

#[test]
fn messages() {
    let mut complaints = Vec::new();
    let mut seen = 0;
    for (place, source) in files(&["harness/src", "cargo-lockutils/src"], "rs") {
        let mut texts = Vec::new();
        literals(source.parse().expect("Rust"), &mut texts);
        seen += texts.len();
        for text in texts {
            complaints.extend(self::complaints(&place, in_text(&text)));
        }
    }
    assert!(seen > 1000, "{seen} literals");
    assert_none(&complaints);
}

#[test]
fn replaced_words_are_found_and_others_are_not() {
    let words = |found: Vec<(&'static str, &'static str)>| -> Vec<&str> {
        found.into_iter().map(|(word, _)| word).collect()
    };
    assert_eq!(
        words(in_text("3 Parties,\nboth  in for 2 ms")),
        ["parties", "both in for"]
    );
    assert_eq!(
        words(in_text("a `Stage` of --budget")),
        ["Stage", "--budget"]
    );
    assert_eq!(
        words(in_names("pub fn a::WorkerCrew::befall(&self)")),
        ["crew", "befall"]
    );
    assert_eq!(words(in_names("pub fn sync::made_once")), ["made_once"]);
    assert!(in_text("when it was told to acquire; the next stage; processes").is_empty());
    assert!(in_names("pub struct a::StagedWorld2; pub fn tallying()").is_empty());
    let mut texts = Vec::new();
    let source = "#[arg(alias = \"a\")] fn f() { g!(\"b\", 'c', b\"d\", r\"e\") }";
    literals(source.parse().expect("Rust"), &mut texts);
    assert_eq!(texts, ["b", "e"]);
}
