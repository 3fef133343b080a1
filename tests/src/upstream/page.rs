//! The list as a page of the documentation.

use std::fmt::Write;
use std::path::PathBuf;

use super::list::{Module, Outcome, PythonTest};
use super::workspace;

/// The path of the page.
pub fn path() -> PathBuf {
    workspace().join("docs/reference/upstream-tests.md")
}

/// The page.
pub fn render(modules: &[Module]) -> String {
    let tests = || modules.iter().flat_map(|module| &module.tests);
    let all = tests().count();
    let not_applicable = tests()
        .filter(|test| matches!(test.outcome, Outcome::NotApplicable(_)))
        .count();
    let differ = tests().filter(|test| test.differs.is_some()).count();
    let mut page = format!(
        "# Upstream tests and ours\n\n\
         This page lists every test of oslo.concurrency 7.6.1 and fasteners 0.20, and the Rust tests \
         that check the same behaviour.\n\
         Of {all} tests, {} have at least one Rust test, and {not_applicable} do not apply.\n\
         In {differ} cases our behaviour or our test differs on purpose, as the row explains.\n\n\
         A Rust test is written as `PACKAGE::TARGET: PATH`.\n\
         `cargo test -p PACKAGE --test TARGET PATH` runs it; for the target `lib`, replace \
         `--test TARGET` with `--lib`.\n\n\
         `cargo run -p lockutils-tests --bin upstream-page` generates this page from \
         `tests/upstream/`.\n",
        all - not_applicable,
    );
    let mut modules: Vec<_> = modules
        .iter()
        .filter(|module| !module.tests.is_empty())
        .collect();
    modules.sort_by_key(|module| std::cmp::Reverse(module_name(module).starts_with("oslo")));
    for module in modules {
        table(&mut page, module);
    }
    page
}

fn table(page: &mut String, module: &Module) {
    let name = module_name(module);
    let _ = write!(
        page,
        "\n## `{name}`\n\n| Python | Rust test, or why there is none |\n|---|---|\n"
    );
    for test in &module.tests {
        let id = test
            .id
            .strip_prefix(&format!("{name}."))
            .unwrap_or(&test.id);
        let _ = writeln!(page, "| `{id}` | {} |", outcome(test));
    }
}

/// The dotted name with which the module's tests begin.
fn module_name(module: &Module) -> &str {
    let id = module.tests.first().map_or("", |test| &test.id);
    let end = id.find(".test_").map_or(id.len(), |before| {
        let after = before + 1;
        id[after..].find('.').map_or(id.len(), |dot| after + dot)
    });
    &id[..end]
}

fn outcome(test: &PythonTest) -> String {
    let mut text = match &test.outcome {
        Outcome::NotApplicable(reason) => format!("does not apply: {reason}"),
        Outcome::Checked(tests) => {
            let tests: Vec<_> = tests.iter().map(|test| format!("`{test}`")).collect();
            tests.join("<br>")
        }
    };
    if let Some(differs) = &test.differs {
        let _ = write!(text, "<br>differs: {differs}");
    }
    text.replace('|', "\\|")
}
