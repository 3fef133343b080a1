//! The migration page: the Python names in the first cells of its tables, and the Rust names in
//! the others.

use std::path::PathBuf;

use super::workspace;

/// The path of the page.
pub fn path() -> PathBuf {
    workspace().join("docs/how-to/migrate-from-python.md")
}

/// A row of a table.
#[derive(Debug)]
pub struct Row {
    /// The Python modules that the preceding heading names.
    pub modules: Vec<String>,
    /// The Python names of the first cell.
    pub python: Vec<String>,
    /// The code spans of the other cells.
    pub rust: Vec<String>,
    /// `true` if the other cells are not empty.
    pub says_something: bool,
}

/// All rows below headings that name a Python module in a code span.
pub fn rows(page: &str) -> Vec<Row> {
    let mut rows = Vec::new();
    let mut modules = Vec::new();
    for line in page.lines() {
        if line.starts_with("## ") {
            modules = code_spans(line);
        } else if let Some(row) = line.strip_prefix('|')
            && !row.starts_with("---")
            && let Some((first, others)) = row.split_once('|')
        {
            let python = code_spans(first);
            rows.push(Row {
                modules: modules.clone(),
                python: python.iter().flat_map(|span| names(span)).collect(),
                rust: code_spans(others),
                says_something: others.chars().any(char::is_alphanumeric),
            });
        }
    }
    rows
}

/// The texts between backticks.
fn code_spans(text: &str) -> Vec<String> {
    let spans = text.split('`').skip(1).step_by(2);
    spans.map(str::to_owned).collect()
}

/// `f` is a name; `f(x, y)` stands for the arguments `f(x)` and `f(y)`.
fn names(span: &str) -> Vec<String> {
    let Some((function, arguments)) = span.split_once('(') else {
        return vec![span.to_owned()];
    };
    let arguments = arguments.trim_end_matches(')').split(',');
    arguments
        .map(|argument| format!("{function}({})", argument.trim()))
        .collect()
}

/// Returns `true` if a listing of a public API has the item at this path, ignoring generic
/// parameters.
pub fn is_in_api(listing: &str, path: &str) -> bool {
    let plain = |line: &str| {
        let mut depth = 0_u32;
        let kept = line.chars().filter(|&c| match c {
            '<' => {
                depth += 1;
                false
            }
            '>' => {
                depth = depth.saturating_sub(1);
                false
            }
            _ => depth == 0,
        });
        kept.collect::<String>()
    };
    listing.lines().map(plain).any(|line| {
        line.match_indices(path).any(|(at, _)| {
            let is_part_of_a_word =
                |c: Option<char>| c.is_some_and(|c| c.is_alphanumeric() || c == '_');
            line.starts_with("pub ")
                && !is_part_of_a_word(line[..at].chars().next_back())
                && !is_part_of_a_word(line[at + path.len()..].chars().next())
        })
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_row_names_functions_arguments_and_their_counterparts() {
        let page = "# Page\n## `a.b`\n| Python | Rust |\n|---|---|\n\
                    | `f(x, y)`, `C.m` | `z::f` of course |\n\
                    | `n` | |\n";
        let rows = rows(page);
        assert_eq!(rows[1].modules, ["a.b"]);
        assert_eq!(rows[1].python, ["f(x)", "f(y)", "C.m"]);
        assert_eq!(rows[1].rust, ["z::f"]);
        assert!(rows[1].says_something && !rows[2].says_something);
    }

    #[test]
    fn an_item_is_found_whole_and_without_its_generics() {
        let listing = "pub fn o::lockutils::LockOptions<'a>::prefix(self, &'a str) -> Self\n\
                       impl o::lockutils::NotPublic\n";
        assert!(is_in_api(listing, "lockutils::LockOptions::prefix"));
        for missing in [
            "lockutils::LockOptions::pre",
            "utils::LockOptions::prefix",
            "lockutils::NotPublic",
        ] {
            assert!(!is_in_api(listing, missing), "{missing}");
        }
    }
}
