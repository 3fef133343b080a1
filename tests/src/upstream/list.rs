//! Reads the list.

use std::fmt;
use std::fs;
use std::path::Path;

use anyhow::{Context, Result, bail};
use serde::Deserialize;

use super::workspace;

/// The tests of one Python module.
#[derive(Debug)]
pub struct Module {
    /// The name of its file in the list, without `.toml`.
    pub file: String,
    /// The tests in the order of the file, which is that of the Python module.
    pub tests: Vec<PythonTest>,
}

/// A test of oslo.concurrency or fasteners.
#[derive(Debug)]
pub struct PythonTest {
    /// The dotted name of the test.
    pub id: String,
    /// The Rust counterpart, if there is one.
    pub outcome: Outcome,
    /// The intended difference in behaviour, if there is one.
    pub differs: Option<String>,
}

/// The counterpart of a Python test.
#[derive(Debug)]
pub enum Outcome {
    /// Rust tests that check the same behaviour.
    Checked(Vec<RustTest>),
    /// The reason why there is no such behaviour here.
    NotApplicable(String),
}

/// A Rust test, written `PACKAGE::TARGET: PATH`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RustTest {
    /// The package of the test.
    pub package: String,
    /// `lib`, `doc`, or the name of a binary or of an integration test.
    pub target: String,
    /// The path as printed by `cargo test -- --list`.
    pub path: String,
}

impl RustTest {
    /// Parses `PACKAGE::TARGET: PATH`.
    ///
    /// # Errors
    /// Returns an error for any other form.
    pub fn parse(text: &str) -> Result<Self> {
        let parts = text.split_once(": ").and_then(|(target, path)| {
            let (package, target) = target.split_once("::")?;
            Some((package, target, path))
        });
        let Some((package, target, path)) = parts else {
            bail!("{text:?} is not of the form PACKAGE::TARGET: PATH");
        };
        Ok(RustTest {
            package: package.into(),
            target: target.into(),
            path: path.into(),
        })
    }
}

impl fmt::Display for RustTest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}::{}: {}", self.package, self.target, self.path)
    }
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    #[serde(default)]
    test: Vec<Entry>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Entry {
    python: String,
    rust: Option<OneOrMore>,
    not_applicable: Option<String>,
    differs: Option<String>,
}

#[derive(Deserialize)]
#[serde(untagged)]
enum OneOrMore {
    One(String),
    More(Vec<String>),
}

/// Reads the whole list, file by file.
///
/// # Errors
/// Returns an error with the file and the entry that is malformed.
pub fn load() -> Result<Vec<Module>> {
    let folder = workspace().join("tests/upstream");
    let mut files: Vec<_> = fs::read_dir(&folder)
        .with_context(|| format!("{folder:?} cannot be read"))?
        .map(|entry| Ok(entry?.path()))
        .collect::<Result<_>>()?;
    files.retain(|file| {
        file.extension()
            .is_some_and(|extension| extension == "toml")
    });
    files.sort();
    files.iter().map(|file| module(file)).collect()
}

fn module(file: &Path) -> Result<Module> {
    let text = fs::read_to_string(file)?;
    let tests = parse(&text).with_context(|| format!("{file:?}"))?;
    let file = file.file_stem().unwrap_or_default().to_string_lossy();
    Ok(Module {
        file: file.into_owned(),
        tests,
    })
}

fn parse(text: &str) -> Result<Vec<PythonTest>> {
    let file: File = toml::from_str(text)?;
    file.test
        .into_iter()
        .map(|entry| {
            let id = entry.python.clone();
            python_test(entry).context(id)
        })
        .collect()
}

fn python_test(entry: Entry) -> Result<PythonTest> {
    let outcome = match (entry.rust, entry.not_applicable) {
        (Some(OneOrMore::One(test)), None) => Outcome::Checked(vec![RustTest::parse(&test)?]),
        (Some(OneOrMore::More(tests)), None) if !tests.is_empty() => {
            let tests = tests.iter().map(|test| RustTest::parse(test));
            Outcome::Checked(tests.collect::<Result<_>>()?)
        }
        (None, Some(reason)) if !reason.trim().is_empty() && !reason.contains('\n') => {
            Outcome::NotApplicable(reason)
        }
        _ => bail!("needs either `rust`, or `not_applicable` with a reason in one line"),
    };
    Ok(PythonTest {
        id: entry.python,
        outcome,
        differs: entry.differs,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_entry_has_rust_tests_or_a_reason_and_not_both() {
        let entry = |rest: &str| parse(&format!("[[test]]\npython = \"a.b\"\n{rest}"));
        assert!(entry("rust = \"p::lib: m::t\"").is_ok());
        assert!(entry("rust = [\"p::lib: m::t\", \"p::x: t\"]\ndiffers = \"so\"").is_ok());
        assert!(entry("not_applicable = \"no threads\"").is_ok());
        for wrong in [
            "",
            "rust = []",
            "rust = \"m::t\"",
            "not_applicable = \" \"",
            "rust = \"p::lib: t\"\nnot_applicable = \"no\"",
            "rust = \"p::lib: t\"\nunknown = 1",
        ] {
            assert!(entry(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn a_rust_test_is_read_as_it_is_written() {
        let text = "oslo-concurrency::lib: lockutils::name::tests::follows_oslo";
        let test = RustTest::parse(text).unwrap();
        assert_eq!((&*test.package, &*test.target), ("oslo-concurrency", "lib"));
        assert_eq!(test.to_string(), text);
    }
}
