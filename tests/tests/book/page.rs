//! A page of the book.

use std::fs;
use std::path::{Path, PathBuf};

use lockutils_tests::command::workspace;

/// A Markdown file of the book.
pub struct Page {
    /// Its path below the workspace.
    pub path: PathBuf,
    pub text: String,
}

/// A step of the reader, in page order.
#[derive(Debug, PartialEq)]
pub enum Step {
    /// A fence after `<!-- file: PATH -->`.
    Write { file: String, text: String },
    /// One command of a `console` fence, and the lines below it. `exits` comes from `<!-- exits N
    /// -->` before the fence.
    Run {
        command: String,
        shown: Vec<String>,
        exits: i32,
    },
}

/// All pages below `docs/`, the README, and the README of the examples.
pub fn all() -> Vec<Page> {
    let mut pages = vec![read("README.md".into()), read("examples/README.md".into())];
    collect(Path::new("docs"), &mut pages);
    pages.sort_by(|a, b| a.path.cmp(&b.path));
    pages
}

fn collect(folder: &Path, pages: &mut Vec<Page>) {
    for entry in fs::read_dir(workspace().join(folder)).expect("a folder") {
        let entry = entry.expect("an entry");
        let path = folder.join(entry.file_name());
        if entry.file_type().expect("a type").is_dir() {
            collect(&path, pages);
        } else if path.extension().is_some_and(|extension| extension == "md") {
            pages.push(read(path));
        }
    }
}

fn read(path: PathBuf) -> Page {
    let text = fs::read_to_string(workspace().join(&path)).expect("a page");
    Page { path, text }
}

impl Page {
    /// The value of `<!-- KEY: VALUE -->`.
    pub fn comment(&self, key: &str) -> Option<&str> {
        self.text.lines().find_map(|line| comment(line, key))
    }

    pub fn has_commands(&self) -> bool {
        self.text.lines().any(|line| line.trim() == "```console")
    }

    pub fn steps(&self) -> Vec<Step> {
        let mut steps = Vec::new();
        let mut lines = self.text.lines();
        let (mut file, mut exits, mut not_run) = (None, 0, false);
        while let Some(line) = lines.next() {
            if let Some(path) = comment(line, "file") {
                file = Some(path.to_owned());
            } else if let Some(status) = line
                .strip_prefix("<!-- exits ")
                .and_then(|rest| rest.strip_suffix(" -->"))
            {
                exits = status.parse().expect("an exit status");
            } else if comment(line, "not run").is_some() {
                not_run = true;
            } else if let Some(kind) = line.strip_prefix("```") {
                let block: Vec<&str> = lines
                    .by_ref()
                    .take_while(|line| !line.starts_with("```"))
                    .collect();
                match (file.take(), kind) {
                    (Some(file), _) => steps.push(Step::Write {
                        file,
                        text: block.join("\n") + "\n",
                    }),
                    (None, "console") if !not_run => steps.extend(commands(&block, exits)),
                    _ => {}
                }
                (exits, not_run) = (0, false);
            }
        }
        steps
    }
}

fn comment<'a>(line: &'a str, key: &str) -> Option<&'a str> {
    let inside = line.strip_prefix("<!-- ")?.strip_suffix(" -->")?;
    inside.strip_prefix(key)?.strip_prefix(": ")
}

fn commands(block: &[&str], exits: i32) -> Vec<Step> {
    let mut steps: Vec<Step> = Vec::new();
    for line in block {
        if let Some(command) = line.strip_prefix("$ ") {
            steps.push(Step::Run {
                command: command.to_owned(),
                shown: Vec::new(),
                exits,
            });
        } else if let Some(Step::Run { shown, .. }) = steps.last_mut() {
            shown.push((*line).to_owned());
        }
    }
    steps
}

#[test]
fn a_page_is_read() {
    let page = Page {
        path: "x.md".into(),
        text: "<!-- sandbox: empty -->\n<!-- file: a.txt -->\n```text\nhello\n```\n\
               <!-- exits 3 -->\n```console\n$ one\nsays\n$ two\n```\n\
               <!-- not run: why -->\n```console\n$ three\n```\n```console\n$ four\n```\n"
            .into(),
    };
    let run = |command: &str, shown: &[&str], exits| Step::Run {
        command: command.into(),
        shown: shown.iter().map(|&line| line.to_owned()).collect(),
        exits,
    };
    assert_eq!(page.comment("sandbox"), Some("empty"));
    assert_eq!(
        page.steps(),
        [
            Step::Write {
                file: "a.txt".into(),
                text: "hello\n".into()
            },
            run("one", &["says"], 3),
            run("two", &[], 3),
            run("four", &[], 0)
        ]
    );
}
