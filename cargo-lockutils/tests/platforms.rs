//! The built command on every system, without cargo: `ci/windows` runs this under Wine.
//!
//! `LOCKUTILS_PROGRAM` names the command if it is not where it was built.

use std::ffi::OsStr;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use std::time::{Duration, Instant};

use tempfile::TempDir;

fn program() -> PathBuf {
    let program = std::env::var_os("LOCKUTILS_PROGRAM")
        .unwrap_or_else(|| env!("CARGO_BIN_EXE_cargo-lockutils").into());
    // Built on another system, it has no drive.
    std::path::absolute(program).unwrap()
}

/// The command, with a temporary directory of its own.
struct Here {
    directory: TempDir,
}

impl Here {
    fn new() -> Self {
        let directory = tempfile::tempdir().unwrap();
        fs::create_dir(directory.path().join("tmp")).unwrap();
        Here { directory }
    }

    fn path(&self) -> &Path {
        self.directory.path()
    }

    fn command<S: AsRef<OsStr>>(&self, words: impl IntoIterator<Item = S>) -> Command {
        let mut command = Command::new(program());
        let temporary = self.path().join("tmp");
        command
            .args(words)
            .current_dir(self.path())
            .env("TMPDIR", &temporary)
            .env("TMP", &temporary)
            .env("TEMP", &temporary)
            .env_remove("OSLO_LOCK_PATH")
            .env_remove("GITHUB_ACTIONS");
        command
    }

    fn run<S: AsRef<OsStr>>(&self, words: impl IntoIterator<Item = S>) -> Output {
        self.command(words).output().expect("the command starts")
    }

    /// The directories of runs that are left.
    fn left(&self) -> Vec<PathBuf> {
        let entries = fs::read_dir(self.path().join("tmp")).unwrap();
        let paths = entries.map(|entry| entry.unwrap().path());
        paths
            .filter(|path| path.to_string_lossy().contains("cargo-lockutils-"))
            .collect()
    }

    fn nothing_is_left(&self) {
        let deadline = Instant::now() + Duration::from_secs(30);
        while !self.left().is_empty() {
            assert!(Instant::now() < deadline, "left: {:?}", self.left());
            std::thread::sleep(Duration::from_millis(20));
        }
    }
}

fn stdout(output: &Output) -> String {
    String::from_utf8_lossy(&output.stdout).replace("\r\n", "\n")
}

fn stderr(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).replace("\r\n", "\n")
}

/// `run --` and a command in the shell of the system.
fn run_in_shell(unix: &str, windows: &str) -> [String; 5] {
    let (shell, option, script) = match cfg!(windows) {
        true => ("cmd", "/c", windows),
        false => ("sh", "-c", unix),
    };
    ["run", "--", shell, option, script].map(str::to_owned)
}

const READ: (&str, &str) = ("echo \"$OSLO_LOCK_PATH\"", "echo %OSLO_LOCK_PATH%");

#[test]
fn run_sets_a_lock_path_and_removes_it() {
    let here = Here::new();
    let output = here.run(run_in_shell(READ.0, READ.1));
    assert_eq!(output.status.code(), Some(0), "{}", stderr(&output));
    let lock_path = PathBuf::from(stdout(&output).trim().to_owned());
    assert!(lock_path.ends_with("locks"), "{lock_path:?}");
    assert!(lock_path.to_string_lossy().contains("cargo-lockutils-"));
    here.nothing_is_left();
}

#[test]
fn the_lock_path_exists_while_the_command_runs_and_files_in_it_are_removed() {
    let here = Here::new();
    let output = here.run(run_in_shell(
        "echo x >\"$OSLO_LOCK_PATH/a\" && cat \"$OSLO_LOCK_PATH/a\"",
        "echo x>%OSLO_LOCK_PATH%\\a&& type %OSLO_LOCK_PATH%\\a",
    ));
    assert_eq!(stdout(&output).trim(), "x", "{}", stderr(&output));
    here.nothing_is_left();
}

#[test]
fn the_status_of_the_command_is_ours() {
    let here = Here::new();
    for status in [0, 1, 7, 255] {
        let script = format!("exit {status}");
        let output = here.run(run_in_shell(&script, &script));
        assert_eq!(output.status.code(), Some(status), "{}", stderr(&output));
    }
    if cfg!(windows) {
        // More than eight bits, of which the last eight are 0: no success.
        let output = here.run(run_in_shell("", "exit 1024"));
        assert_eq!(output.status.code(), Some(1024), "{}", stderr(&output));
    }
    here.nothing_is_left();
}

#[test]
fn a_command_that_does_not_exist_is_127() {
    let here = Here::new();
    let output = here.run(["run", "--", "no-such-command-of-ours"]);
    assert_eq!(output.status.code(), Some(127));
    assert!(stderr(&output).contains("no-such-command-of-ours cannot be run"));
    here.nothing_is_left();
}

#[test]
fn a_run_within_a_run_has_its_own_lock_path() {
    let here = Here::new();
    let inner = run_in_shell(READ.0, READ.1);
    let us = program().into_os_string().into_string().unwrap();
    let words = ["run", "--", &us].map(str::to_owned);
    let output = here.run(words.into_iter().chain(inner));
    assert_eq!(output.status.code(), Some(0), "{}", stderr(&output));
    assert!(stdout(&output).contains("cargo-lockutils-"));
    assert!(
        !stderr(&output).contains("left behind"),
        "{}",
        stderr(&output)
    );
    here.nothing_is_left();
}

#[test]
fn a_killed_run_takes_its_command_with_it_and_the_directory_goes() {
    let here = Here::new();
    let alive = here.path().join("alive");
    // A run within it that waits for input, which never comes.
    let words = run_in_shell(
        &format!("echo x >'{}'; sleep 600", alive.display()),
        &format!("echo x>{}& pause", alive.display()),
    );
    let mut child = here
        .command(words)
        .stdin(std::process::Stdio::piped())
        .stdout(std::process::Stdio::null())
        .spawn()
        .unwrap();
    let deadline = Instant::now() + Duration::from_secs(60);
    while !alive.exists() {
        assert!(Instant::now() < deadline, "the command did not start");
        std::thread::sleep(Duration::from_millis(20));
    }
    assert_eq!(here.left().len(), 1);
    child.kill().unwrap();
    child.wait().unwrap();
    here.nothing_is_left();
}

#[test]
fn show_env_prints_a_directory_that_unset_removes() {
    let here = Here::new();
    for (format, before, after) in [
        ("sh", "export OSLO_LOCK_PATH='", "'"),
        ("env", "OSLO_LOCK_PATH=", ""),
        ("powershell", "$env:OSLO_LOCK_PATH = '", "'"),
        ("cmd", "set \"OSLO_LOCK_PATH=", "\""),
    ] {
        let output = here.run(["show-env", "--format", format]);
        let text = stdout(&output);
        let path = text
            .trim()
            .strip_prefix(before)
            .and_then(|text| text.strip_suffix(after));
        let path = path.unwrap_or_else(|| panic!("{text} {}", stderr(&output)));
        assert!(Path::new(path).is_dir(), "{path}");
        let output = here
            .command(["show-env", "--unset", "--format", format])
            .env("OSLO_LOCK_PATH", path)
            .output()
            .unwrap();
        assert_eq!(output.status.code(), Some(0), "{}", stderr(&output));
        assert!(!Path::new(path).exists(), "{path}");
    }
    here.nothing_is_left();
}

#[test]
fn ls_and_clean_know_unused_lock_files() {
    let here = Here::new();
    let locks = here.path().join("locks");
    fs::create_dir(&locks).unwrap();
    for name in ["a", "b"] {
        fs::write(locks.join(name), "").unwrap();
    }
    fs::write(locks.join("data"), "keep me").unwrap();
    let output = here.run([OsStr::new("ls"), locks.as_os_str()]);
    let text = stdout(&output);
    assert!(
        text.contains("2 unused lock files: a, b"),
        "{text}{}",
        stderr(&output)
    );
    let output = here.run([OsStr::new("ls"), OsStr::new("--json"), locks.as_os_str()]);
    let json: serde_json::Value = serde_json::from_str(&stdout(&output)).unwrap();
    assert_eq!(json["files"].as_array().unwrap().len(), 3);
    let output = here.run([
        OsStr::new("clean"),
        OsStr::new("--dry-run"),
        locks.as_os_str(),
    ]);
    assert_eq!(output.status.code(), Some(0), "{}", stderr(&output));
    assert!(locks.join("a").exists());
    let open = fs::File::open(locks.join("b")).unwrap();
    let output = here.run([OsStr::new("clean"), locks.as_os_str()]);
    assert_eq!(output.status.code(), Some(0), "{}", stderr(&output));
    assert!(!locks.join("a").exists(), "{}", stdout(&output));
    assert!(locks.join("b").exists(), "it is open: {}", stdout(&output));
    assert!(locks.join("data").exists(), "{}", stdout(&output));
    drop(open);
    let output = here.run([OsStr::new("clean"), locks.as_os_str()]);
    assert!(!locks.join("b").exists(), "{}", stdout(&output));
}

#[test]
fn our_own_lock_holds_under_stress() {
    let here = Here::new();
    let words = [
        "stress",
        "--builtin",
        "oslo",
        "--scenario",
        "contend,die",
        "--duration",
        "4s",
        "--json",
    ];
    let output = here.run(words);
    assert_eq!(
        output.status.code(),
        Some(0),
        "{}{}",
        stdout(&output),
        stderr(&output)
    );
    let report: serde_json::Value = serde_json::from_str(&stdout(&output)).unwrap();
    let outcomes = report["outcomes"].as_array().unwrap();
    assert!(
        outcomes
            .iter()
            .any(|outcome| outcome["scenario"] == "contend" && outcome["verdict"] == "held"),
        "{}",
        stdout(&output)
    );
    here.nothing_is_left();
}

#[test]
fn the_verbose_version_names_the_platform_and_what_it_has() {
    let here = Here::new();
    let output = here.run(["--version", "--verbose"]);
    assert_eq!(output.status.code(), Some(0));
    let text = stdout(&output);
    let platform = format!(
        "platform: {} {}\n",
        std::env::consts::ARCH,
        std::env::consts::OS
    );
    assert!(text.starts_with("cargo lockutils "), "{text}");
    assert!(text.contains(&platform), "{text}");
    let line = |name: &str| {
        let begin = format!("{name}: ");
        let line = text.lines().find_map(|line| line.strip_prefix(&begin));
        line.unwrap_or_else(|| panic!("{name}: {text}")).to_owned()
    };
    assert_eq!(
        line("explore").starts_with("yes"),
        cfg!(target_os = "linux")
    );
    assert_eq!(line("fork").starts_with("yes"), cfg!(unix));
    assert_eq!(line("signals").starts_with("yes"), cfg!(unix));
    assert!(line("built-in locks").starts_with("oslo, oslo-fair"));
}

#[test]
fn completions_and_the_man_page_are_printed() {
    let here = Here::new();
    for words in [&["completions", "powershell"][..], &["man"]] {
        let output = here.run(words);
        assert_eq!(output.status.code(), Some(0));
        assert!(stdout(&output).contains("stress"));
    }
}

/// Elsewhere than on Linux, `explore` and `replay` say why not, in one line, and fail.
#[cfg(not(target_os = "linux"))]
#[test]
fn explore_says_why_not() {
    let here = Here::new();
    for words in [
        &["explore", "--builtin", "oslo"][..],
        &["replay", "counterexample.txt"],
    ] {
        let output = here.run(words);
        assert_eq!(output.status.code(), Some(2));
        assert_eq!(stdout(&output), "");
        let text = stderr(&output);
        assert_eq!(text.lines().count(), 1, "{text}");
        assert!(
            text.contains("ptrace(2)") && text.contains("`stress` runs here"),
            "{text}"
        );
    }
}
