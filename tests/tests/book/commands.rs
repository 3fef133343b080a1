//! The commands of the `console` blocks, run in page order in one shell, in the sandbox that the
//! page names.
//!
//! The sandboxes of `<!-- sandbox: NAME -->`: `empty` is an empty folder beside which the
//! repository appears as `lockutils`, `workers` one with the helpers for workers, `service` one
//! where a service holds locks, `redis` one where Redis is installed, `newcomer` the package of the tutorial after `init`, `repository`
//! this one. The text below a command must appear in its output, except for lines with digits,
//! which differ from run to run. `<!-- exits N -->` and `<!-- not run: WHY -->` precede a block,
//! and `<!-- file: PATH -->` the text of a file.

use std::fmt::Write;
use std::fs;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use std::process::Command;

use lockutils_tests::command::{Newcomer, text, workspace};
use lockutils_tests::conversation::Conversation;
use lockutils_tests::{debian, holder, python, servers};

use crate::page::{self, Page, Step};

/// The lock path of the service in the examples.
const SERVICE: &str = "/var/lib/nova/tmp";

/// The port of the reader's own Redis.
const REDIS: &str = "6390";

/// The service: it holds one lock, has used another, and keeps notes beside them.
fn service(lock_path: &Path) -> Conversation {
    fs::create_dir(lock_path).unwrap();
    fs::write(lock_path.join("notes.txt"), "call the storage people").unwrap();
    fs::write(lock_path.join("nova-image-9"), "").unwrap();
    let mut holder = holder::start(env!("CARGO_BIN_EXE_lock-holder"), lock_path);
    assert_eq!(holder.ask("acquire nova-image-7"), "acquired");
    holder
}

fn sandbox(kind: &str) -> (Newcomer, PathBuf) {
    let newcomer = Newcomer::in_an_empty_folder();
    let mut folder = newcomer.folder().to_owned();
    symlink(workspace(), folder.join("lockutils")).unwrap();
    match kind {
        "empty" | "service" => {}
        "redis" => {
            debian::provide("redis-server", "redis-server").expect("redis-server");
        }
        "workers" => {
            let workers = workspace().join("docs/workers");
            fs::copy(
                workers.join("lockutils_worker.py"),
                folder.join("lockutils_worker.py"),
            )
            .unwrap();
        }
        "newcomer" => {
            newcomer.begins();
            let output = newcomer.cargo(&["lockutils", "init", "--ci", "github", "--yes"]);
            assert!(output.status.success(), "{}", text(&output));
            newcomer.hurries();
            folder = newcomer.package();
        }
        // The commands of these pages change nothing.
        "repository" => folder = workspace(),
        other => panic!("what is the sandbox `{other}`?"),
    }
    (newcomer, folder)
}

/// The page as one script that writes the output of each command to its own file.
fn script(steps: &[Step], results: &Path) -> String {
    let mut script = String::new();
    for (nth, step) in steps.iter().enumerate() {
        match step {
            Step::Write { file, text } => {
                let _ = write!(
                    script,
                    "mkdir -p \"$(dirname '{file}')\"\ncat > '{file}' <<'END OF FILE'\n\
                     {text}END OF FILE\n"
                );
            }
            Step::Run { command, .. } => {
                let at = results.join(nth.to_string());
                let at = at.display();
                let _ = write!(
                    script,
                    "{{ {command}\n}} > {at} 2>&1 < /dev/null; echo $? > {at}.status\n"
                );
            }
        }
    }
    script
}

/// The words of a line, without indentation and spacing; `None` if the line differs from run to
/// run.
fn constant(line: &str) -> Option<String> {
    let varies = line.is_empty() || line.contains(|c: char| c.is_ascii_digit() || c == '…');
    (!varies).then(|| line.split_whitespace().collect::<Vec<_>>().join(" "))
}

/// The failed commands of a page.
fn complaints(page: &Page) -> Vec<String> {
    let kind = page.comment("sandbox").expect("it was asked for");
    let (newcomer, folder) = sandbox(kind);
    let lock_path = folder.join("nova");
    let _service = (kind == "service").then(|| service(&lock_path));
    let results = tempfile::tempdir().unwrap();
    let steps = page.steps();
    let mut script = script(&steps, results.path());
    script = script.replace(SERVICE, &lock_path.to_string_lossy());
    if kind == "redis" {
        // Also if a command before the page's own `shutdown` fails.
        let shutdown = format!("redis-cli -p {REDIS} shutdown nosave");
        script = format!("trap '{shutdown} > /dev/null 2>&1' EXIT\n{script}");
    }
    script = script.replace(REDIS, &servers::free_port().to_string());
    if folder == workspace() {
        // The folder is already built.
        script = format!(
            "export CARGO_TARGET_DIR='{}'\n{script}",
            python::target_folder().display()
        );
    }
    // A command that waits for the one before it would wait for ever if that one has failed.
    let mut shell = Command::new("timeout");
    shell
        .args(["1200", "bash", "-c", &script])
        .env("PYTHON", python::interpreter())
        .env_remove("GITHUB_ACTIONS");
    // Commands such as completions write below HOME. Cargo needs HOME as well, so CARGO_HOME keeps
    // cargo's folder.
    if let Some(home) = std::env::var_os("HOME") {
        let cargo_home = std::env::var_os("CARGO_HOME")
            .map_or_else(|| Path::new(&home).join(".cargo"), PathBuf::from);
        let rustup_home = std::env::var_os("RUSTUP_HOME")
            .map_or_else(|| Path::new(&home).join(".rustup"), PathBuf::from);
        shell
            .env("CARGO_HOME", cargo_home)
            .env("RUSTUP_HOME", rustup_home)
            .env("HOME", results.path());
    }
    newcomer.run(shell, &folder);
    let mut wrong = Vec::new();
    for (nth, step) in steps.iter().enumerate() {
        let Step::Run {
            command,
            shown,
            exits,
        } = step
        else {
            continue;
        };
        let read = |name: String| fs::read(results.path().join(name)).unwrap_or_default();
        let said = String::from_utf8_lossy(&read(nth.to_string())).into_owned();
        let status = String::from_utf8_lossy(&read(format!("{nth}.status")))
            .trim()
            .to_owned();
        if status != exits.to_string() {
            wrong.push(format!(
                "{}: `{command}` ended with `{status}`: {said}",
                page.path.display()
            ));
            continue;
        }
        let said_lines: Vec<String> = said
            .lines()
            .map(|line| line.split_whitespace().collect::<Vec<_>>().join(" "))
            .collect();
        for line in shown.iter().filter_map(|line| constant(line)) {
            if !said_lines.iter().any(|said| said.contains(&line)) {
                wrong.push(format!(
                    "{}: `{command}` does not say `{line}`: {said}",
                    page.path.display()
                ));
            }
        }
    }
    wrong
}

fn the_page_is_true(path: &str) {
    let pages = page::all();
    let page = pages
        .iter()
        .find(|page| page.path == Path::new(path))
        .unwrap();
    assert!(
        page.steps()
            .iter()
            .any(|step| matches!(step, Step::Run { .. })),
        "{path} shows no command"
    );
    let wrong = complaints(page);
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn the_tutorial() {
    the_page_is_true("docs/tutorial.md");
}

#[test]
fn the_tutorial_between_hosts() {
    the_page_is_true("docs/tutorial-between-hosts.md");
}

#[test]
fn how_to_install() {
    the_page_is_true("docs/how-to/install.md");
}

#[test]
fn how_to_try_a_lock() {
    the_page_is_true("docs/how-to/try-a-lock.md");
}

#[test]
fn how_to_test_a_lock_in_rust() {
    the_page_is_true("docs/how-to/test-a-lock-in-rust.md");
}

#[test]
fn how_to_let_ci_do_it() {
    the_page_is_true("docs/how-to/continuous-integration.md");
}

#[test]
fn how_to_find_who_holds_a_lock() {
    the_page_is_true("docs/how-to/find-who-holds-a-lock.md");
}

#[test]
fn how_to_clean_up() {
    the_page_is_true("docs/how-to/clean-up.md");
}

#[test]
fn the_readme() {
    the_page_is_true("README.md");
}

#[test]
fn the_examples() {
    the_page_is_true("examples/README.md");
}

#[test]
fn every_page_with_commands_is_run_by_a_test() {
    let tests = include_str!("commands.rs");
    let forgotten: Vec<String> = page::all()
        .iter()
        .filter(|page| page.has_commands())
        .map(|page| page.path.to_string_lossy().into_owned())
        .filter(|path| !tests.contains(&format!("the_page_is_true(\"{path}\")")))
        .collect();
    assert!(
        forgotten.is_empty(),
        "no test runs the commands of {forgotten:?}"
    );
}

#[test]
fn a_page_that_is_wrong_is_noticed() {
    let page = |text: &str| Page {
        path: "x.md".into(),
        text: format!("<!-- sandbox: empty -->\n```console\n{text}\n```\n"),
    };
    assert_eq!(
        complaints(&page("$ cd lockutils\n$ ls\nCargo.toml")),
        Vec::<String>::new()
    );
    assert_eq!(complaints(&page("$ false")).len(), 1);
    assert_eq!(complaints(&page("$ echo yes\nno")).len(), 1);
    assert_eq!(complaints(&page("$ echo yes 1\nno 2")).len(), 0);
    assert_eq!(complaints(&page("$ cargo lockutils nonsense")).len(), 1);
}
