//! The locks reach the operating system through `oslo-concurrency/src/sys` alone, the harness through
//! `harness/src/sys` and folders and files that bear a system's name, and the harness and the command
//! read `/proc` through `harness/src/procfs` alone.
//!
//! So a port to another system has a single place to change, and the model tests can replace
//! everything that the locks use.

use std::ffi::OsStr;
use std::fs;
use std::path::{Path, PathBuf};

use lockutils_tests::command::workspace;
use proc_macro2::{TokenStream, TokenTree};

/// Folders and files that may name system calls. `processutils` keeps its own, for commands.
const SYSTEM: [&str; 2] = ["sys", "processutils"];
/// Crates of system calls.
const CRATES: [&str; 4] = ["libc", "nix", "rustix", "windows_sys"];

fn files_in(folder: &Path, found: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(folder).expect("a folder") {
        let path = entry.expect("an entry").path();
        if path.is_dir() {
            files_in(&path, found);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            found.push(path);
        }
    }
}

/// Returns `true` for a string, C or not, that names a file of /proc.
fn names_proc(literal: &str) -> bool {
    literal
        .trim_start_matches(['b', 'c', 'r', '#'])
        .starts_with("\"/proc/")
}

/// Paths that begin with one of [`CRATES`], and files of /proc, in code without comments.
fn system_paths(tokens: TokenStream, found: &mut Vec<String>) {
    let tokens: Vec<TokenTree> = tokens.into_iter().collect();
    let is_colon = |token: Option<&TokenTree>| match token {
        Some(TokenTree::Punct(p)) => p.as_char() == ':',
        _ => false,
    };
    for (at, token) in tokens.iter().enumerate() {
        match token {
            TokenTree::Group(group) => system_paths(group.stream(), found),
            TokenTree::Ident(name) if CRATES.iter().any(|crate_| name == crate_) => {
                let goes_on = is_colon(tokens.get(at + 1)) && is_colon(tokens.get(at + 2));
                let inner = at > 0 && is_colon(tokens.get(at - 1)) && at > 2;
                let begins = !inner || !matches!(tokens[at - 3], TokenTree::Ident(_));
                if goes_on && begins {
                    found.push(format!("{name}::"));
                }
            }
            TokenTree::Literal(literal) if names_proc(&literal.to_string()) => {
                found.push(literal.to_string());
            }
            _ => {}
        }
    }
}

/// A file without its documentation, which may mention anything.
fn code(text: &str) -> TokenStream {
    let lines = text
        .lines()
        .filter(|line| !line.trim_start().starts_with("//"));
    let code: String = lines.flat_map(|line| [line, "\n"]).collect();
    code.parse().expect("Rust")
}

/// Fails with `advice` if a file below `sources` for which `is_allowed` returns `false` has a path or
/// a string that `counts`, and if no file has one. File paths are relative to the workspace.
fn only_in(
    sources: &[&str],
    is_allowed: impl Fn(&Path) -> bool,
    counts: impl Fn(&str) -> bool,
    advice: &str,
) {
    let (mut outside, mut inside) = (Vec::new(), 0);
    for source in sources {
        let mut files = Vec::new();
        files_in(&workspace().join(source), &mut files);
        for file in &files {
            let mut found = Vec::new();
            system_paths(code(&fs::read_to_string(file).expect("a file")), &mut found);
            found.retain(|path| counts(path));
            let place = file.strip_prefix(workspace()).expect("below it");
            if is_allowed(place) {
                inside += found.len();
            } else {
                let named = |path: &String| format!("{}: {path}", place.display());
                outside.extend(found.iter().map(named));
            }
        }
    }
    assert!(outside.is_empty(), "{advice}:\n{}", outside.join("\n"));
    assert!(inside > 0, "the test looks for what is there");
}

#[test]
fn only_sys_names_system_calls() {
    let source = Path::new("oslo-concurrency/src");
    only_in(
        &["oslo-concurrency/src"],
        |place| {
            SYSTEM
                .iter()
                .any(|system| place.starts_with(source.join(system)))
        },
        |_| true,
        "move these below sys/",
    );
}

/// Places in the harness that are compiled for one system, or may name its calls.
const PLACES: [&str; 6] = ["sys", "procfs", "explore", "unix", "linux", "windows"];

#[test]
fn only_places_of_a_system_name_its_calls_in_the_harness() {
    let is_place = |part: &OsStr| PLACES.iter().any(|allowed| part == *allowed);
    only_in(
        &["harness/src"],
        |place| place.with_extension("").iter().any(is_place),
        |_| true,
        "move these into harness/src/sys, or into a file for one system",
    );
}

#[test]
fn only_procfs_reads_proc() {
    only_in(
        &["harness/src", "cargo-lockutils/src"],
        |place| place.starts_with("harness/src/procfs"),
        names_proc,
        "move these into harness/src/procfs",
    );
}

#[test]
fn paths_are_found_and_neighbours_are_not() {
    let found = |text: &str| {
        let mut found = Vec::new();
        system_paths(code(text), &mut found);
        found
    };
    assert_eq!(
        found("use libc::pid_t; fn f() { g(nix::unistd::getpid()) }"),
        ["libc::", "nix::"]
    );
    assert_eq!(
        found("fn f() { read(\"/proc/self/stat\") }"),
        ["\"/proc/self/stat\""]
    );
    assert_eq!(
        found("fn f() { open(c\"/proc/self/fd\", \"see /proc/self\") }"),
        ["c\"/proc/self/fd\""]
    );
    assert!(
        found("use std::os::unix::fs; use crate::nix::X; // libc::open\nfn libc() {}").is_empty()
    );
}
