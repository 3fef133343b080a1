//! `docs/reference/command-line.md` is generated from `--help`. To renew it:
//! `LOCKUTILS_BLESS=1 cargo test -p cargo-lockutils --test command reference`.

use std::fmt::Write;
use std::fs;
use std::path::Path;

use crate::project::{Project, stdout};

fn help(project: &Project, arguments: &[&str]) -> String {
    stdout(&project.run(&[arguments, &["--help"]].concat()))
}

/// The subcommands that help lists, except `help` itself.
fn subcommands(help: &str) -> Vec<String> {
    let (_, list) = help.split_once("Commands:\n").expect("commands");
    list.lines()
        .take_while(|line| !line.is_empty())
        .filter(|line| line.starts_with("  ") && !line.starts_with("   "))
        .filter_map(|line| line.split_whitespace().next())
        .filter(|name| *name != "help")
        .map(str::to_owned)
        .collect()
}

fn page() -> String {
    let project = Project::new();
    let whole = help(&project, &[]);
    let mut page = format!(
        "# The command line\n\nThis page is generated from `--help`.\n\n```text\n{}\n```\n",
        whole.trim_end()
    );
    for name in subcommands(&whole) {
        let text = help(&project, &[&name]);
        let _ = write!(page, "\n## {name}\n\n```text\n{}\n```\n", text.trim_end());
    }
    page
}

#[test]
fn the_page_is_what_help_says() {
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/reference/command-line.md");
    let page = page();
    assert!(
        page.contains("## stress\n") && page.contains("--deny-hazards"),
        "{page}"
    );
    if std::env::var_os("LOCKUTILS_BLESS").is_some() {
        fs::write(&file, &page).expect("the page is written");
    }
    let there = fs::read_to_string(&file).unwrap_or_default();
    assert!(
        there == page,
        "{} is out of date: run this test with LOCKUTILS_BLESS=1",
        file.display()
    );
}
