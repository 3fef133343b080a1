//! The tests that the sources of the workspace define, found by parsing: nothing is built.

use std::collections::{BTreeSet, HashMap};
use std::fs;
use std::path::PathBuf;

use anyhow::{Context, Result, bail};

use super::list::RustTest;
use super::rust_source::tests_of;
use super::workspace;

/// The tests of the requested targets; each target is read once.
#[derive(Debug, Default)]
pub struct RustTests {
    targets: HashMap<(String, String), BTreeSet<String>>,
}

impl RustTests {
    /// Checks that the test exists and is not ignored.
    ///
    /// # Errors
    /// Returns an error if that is not so, or if a source cannot be read.
    pub fn find(&mut self, test: &RustTest) -> Result<()> {
        if test.target == "doc" {
            return find_doctest(&test.path);
        }
        let target = (test.package.clone(), test.target.clone());
        let known = match self.targets.get(&target) {
            Some(known) => known,
            None => {
                let root = root_of(&test.package, &test.target)?;
                self.targets
                    .entry(target)
                    .or_insert(tests_of(&root).with_context(|| format!("{root:?}"))?)
            }
        };
        let case = format!("{}::case_", test.path);
        if known.contains(&test.path) || known.iter().any(|name| name.starts_with(&case)) {
            return Ok(());
        }
        bail!("{test} does not exist, or is ignored");
    }
}

/// The folder of a member of the workspace.
fn folder_of(package: &str) -> Result<PathBuf> {
    let manifest: toml::Table = fs::read_to_string(workspace().join("Cargo.toml"))?.parse()?;
    for member in manifest["workspace"]["members"]
        .as_array()
        .into_iter()
        .flatten()
    {
        let folder = workspace().join(member.as_str().unwrap_or_default());
        let manifest: toml::Table = fs::read_to_string(folder.join("Cargo.toml"))?.parse()?;
        if manifest["package"]["name"].as_str() == Some(package) {
            return Ok(folder);
        }
    }
    bail!("there is no package {package:?} in the workspace")
}

/// The first source file of a target.
fn root_of(package: &str, target: &str) -> Result<PathBuf> {
    let folder = folder_of(package)?;
    let mut candidates = ["tests/", "src/bin/"]
        .iter()
        .flat_map(|place| ["", "/main"].map(|main| format!("{place}{target}{main}.rs")))
        .collect::<Vec<_>>();
    if target == "lib" {
        candidates = vec!["src/lib.rs".into()];
    } else if target == package {
        candidates.push("src/main.rs".into());
    }
    let root = candidates
        .iter()
        .map(|candidate| folder.join(candidate))
        .find(|root| root.is_file());
    root.with_context(|| format!("{package} has no target {target:?}"))
}

/// `FILE - ITEM (line N)`; the line is optional and ignored, since it changes with every edit.
fn find_doctest(path: &str) -> Result<()> {
    let Some((file, item)) = path.split_once(" - ") else {
        bail!("{path:?} is not of the form FILE - ITEM");
    };
    let item = item.split(" (").next().unwrap_or_default();
    let name = item.rsplit("::").next().unwrap_or_default();
    let text = fs::read_to_string(workspace().join(file)).with_context(|| file.to_owned())?;
    let mut has_example = false;
    for line in text.lines().map(str::trim_start) {
        if line.starts_with("///") {
            has_example |= line.contains("```");
        } else if line.starts_with('#') {
            // An attribute between the documentation and its item.
        } else {
            let names = line.split(|c: char| !c.is_alphanumeric() && c != '_');
            if has_example && names.take(6).any(|word| word == name) {
                return Ok(());
            }
            has_example = false;
        }
    }
    bail!("{item} has no example in {file}")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn find(test: &str) -> Result<()> {
        RustTests::default().find(&RustTest::parse(test).unwrap())
    }

    #[test]
    fn tests_are_found_in_all_kinds_of_targets() {
        for test in [
            "lockutils-tests::lib: \
             upstream::rust_tests::tests::tests_are_found_in_all_kinds_of_targets",
            "oslo-concurrency::lib: lockutils::name::tests::follows_oslo",
            "lockutils-tests::own_locks: external",
            "lockutils-tests::guarantees: guarantee_2_death::a_killed_holder_frees_it",
            "cargo-lockutils::cargo-lockutils: cli::tests::the_definition_is_sound",
            "lockutils-harness::stress: our_external_lock_excludes",
            "lockutils-harness::programs: programs_exclude",
            "oslo-concurrency::doc: oslo-concurrency/src/lockutils/options.rs - \
             lockutils::options::lock (line 14)",
        ] {
            find(test).unwrap();
        }
    }

    #[test]
    fn what_does_not_exist_is_not_found() {
        for test in [
            "oslo-concurrency::lib: lockutils::name::tests::follows_nobody",
            "oslo-concurrency::lib: lockutils::name::tests",
            "oslo-concurrency::no_such_target: external",
            "no-such-package::lib: external",
            "lockutils-tests::own_locks: external_by",
            "lockutils-tests::own_locks: holds_between_processes",
            "oslo-concurrency::doc: oslo-concurrency/src/lockutils/options.rs - \
             lockutils::options::no_such",
        ] {
            assert!(find(test).is_err(), "{test}");
        }
    }
}
