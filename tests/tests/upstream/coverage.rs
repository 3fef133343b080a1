//! `tests/upstream/*.toml` compared with the tests of both sides.

use std::collections::BTreeSet;
use std::fs;

use lockutils_tests::python;
use lockutils_tests::upstream::list::{self, Outcome};
use lockutils_tests::upstream::rust_tests::RustTests;
use lockutils_tests::upstream::{page, workspace};

use crate::lines_of;

/// The ids on the list that begin with `package`.
fn listed(package: &str) -> Vec<String> {
    let tests = list::load().expect("the list is well formed");
    tests
        .into_iter()
        .flat_map(|module| module.tests)
        .map(|test| test.id)
        .filter(|id| id.starts_with(package))
        .collect()
}

/// Asserts that the list has each of Python's tests exactly once, and no other.
fn assert_covers(listed: &[String], python: &[String]) {
    let once: BTreeSet<_> = listed.iter().collect();
    let python: BTreeSet<_> = python.iter().collect();
    let missing: Vec<_> = python.difference(&once).collect();
    let unknown: Vec<_> = once.difference(&python).collect();
    assert!(missing.is_empty(), "not on the list: {missing:#?}");
    assert!(unknown.is_empty(), "no such test: {unknown:#?}");
    assert_eq!(listed.len(), once.len(), "a test is listed twice");
}

#[test]
fn every_test_of_oslo_concurrency_is_on_the_list_once() {
    let find = "import oslo_concurrency.tests as t; print(t.__path__[0])";
    let output = std::process::Command::new(python::interpreter())
        .args(["-I", "-c", find])
        .output()
        .unwrap();
    let folder = String::from_utf8(output.stdout).unwrap();
    let python = lines_of(
        "list_tests.py",
        &["oslo_concurrency.tests", folder.trim_end()],
    );
    assert!(python.len() > 100, "{python:?}");
    assert_covers(&listed("oslo_concurrency."), &python);
}

#[test]
fn every_test_of_fasteners_is_on_the_list_once() {
    let text = fs::read_to_string(workspace().join("tests/upstream/fasteners-0.20.txt")).unwrap();
    let python: Vec<_> = text
        .lines()
        .filter(|line| !line.starts_with('#'))
        .map(str::to_owned)
        .collect();
    assert!(python.len() > 50, "{python:?}");
    assert_covers(&listed("fasteners."), &python);
}

#[test]
fn every_rust_test_on_the_list_exists() {
    let mut rust = RustTests::default();
    let wrong: Vec<_> = list::load()
        .unwrap()
        .into_iter()
        .flat_map(|module| module.tests)
        .filter_map(|test| match test.outcome {
            Outcome::Checked(tests) => Some((test.id, tests)),
            Outcome::NotApplicable(_) => None,
        })
        .flat_map(|(id, tests)| tests.into_iter().map(move |test| (id.clone(), test)))
        .filter_map(|(id, test)| Some(format!("{id}: {:#}", rust.find(&test).err()?)))
        .collect();
    assert!(wrong.is_empty(), "{wrong:#?}");
}

#[test]
fn the_page_is_up_to_date() {
    let page = fs::read_to_string(page::path()).unwrap_or_default();
    assert!(
        page == page::render(&list::load().unwrap()),
        "to write it: cargo run -p lockutils-tests --bin upstream-page"
    );
}
