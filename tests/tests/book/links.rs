//! Every page is in the table of contents, and every link has a target.

use std::collections::BTreeSet;
use std::path::{Component, Path, PathBuf};

use lockutils_tests::command::workspace;

use crate::page::{self, Page};

/// The targets of `[…](target)` outside of code.
fn targets(page: &Page) -> Vec<String> {
    let mut code = false;
    let mut targets = Vec::new();
    for line in page.text.lines() {
        if line.starts_with("```") {
            code = !code;
        }
        if code {
            continue;
        }
        let without_code: String = line.split('`').step_by(2).collect::<Vec<_>>().join("code");
        let mut rest = without_code.as_str();
        while let Some((_, after)) = rest.split_once("](") {
            let (target, after) = after.split_once(')').unwrap_or((after, ""));
            targets.push(target.to_owned());
            rest = after;
        }
    }
    targets
}

/// The anchors that GitHub and mdBook derive from headings.
fn anchors(page: &Page) -> BTreeSet<String> {
    page.text
        .lines()
        .filter(|line| line.starts_with('#'))
        .map(|line| {
            line.trim_start_matches('#')
                .trim()
                .to_lowercase()
                .chars()
                .filter(|c| c.is_alphanumeric() || matches!(c, ' ' | '-' | '_'))
                .map(|c| if c == ' ' { '-' } else { c })
                .collect()
        })
        .collect()
}

fn normal(path: &Path) -> PathBuf {
    let mut normal = PathBuf::new();
    for part in path.components() {
        match part {
            Component::ParentDir => {
                normal.pop();
            }
            Component::CurDir => {}
            other => normal.push(other),
        }
    }
    normal
}

#[test]
fn every_link_leads_somewhere() {
    let pages = page::all();
    let mut broken = Vec::new();
    for page in &pages {
        for target in targets(page) {
            if target.contains("://") {
                continue;
            }
            let (path, anchor) = target.split_once('#').unwrap_or((&target, ""));
            let path = match path {
                "" => page.path.clone(),
                path => normal(&page.path.parent().unwrap().join(path)),
            };
            let there = workspace().join(&path).exists();
            let anchored = anchor.is_empty()
                || pages
                    .iter()
                    .any(|other| other.path == path && anchors(other).contains(anchor));
            if !there || !anchored {
                broken.push(format!("{}: {target}", page.path.display()));
            }
        }
    }
    assert!(broken.is_empty(), "{broken:#?}");
}

#[test]
fn the_table_of_contents_is_complete() {
    let pages = page::all();
    let summary = pages
        .iter()
        .find(|page| page.path.ends_with("SUMMARY.md"))
        .unwrap();
    let mut listed: Vec<String> = targets(summary);
    let mut there: Vec<String> = pages
        .iter()
        .filter_map(|page| page.path.strip_prefix("docs").ok())
        .map(|path| path.to_string_lossy().into_owned())
        .filter(|path| path != "SUMMARY.md")
        .collect();
    listed.sort();
    there.sort();
    assert_eq!(listed, there);
}
