//! A small project in a folder of its own, and the command run on it.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::time::{Duration, Instant};

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

/// The command as users call it, with a temporary folder of its own, so that leftovers are visible.
pub struct Project {
    folder: tempfile::TempDir,
}

impl Project {
    /// A library crate without dependencies; each test records the lock path that it sees, in
    /// `seen/`.
    pub fn new() -> Self {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let project = Project { folder };
        fs::create_dir(project.temporary()).expect("a folder");
        project.write(
            "p/Cargo.toml",
            "[package]\nname = \"p\"\nversion = \"0.1.0\"\nedition = \"2021\"\n[workspace]\n",
        );
        project.write("p/src/lib.rs", &library("p", "doctest", "unit"));
        project.write(
            "p/tests/it.rs",
            "#[test] fn integration() { p::record(\"integration\"); }\n\
             #[test] fn second() { p::record(\"second\"); }\n",
        );
        project
    }

    /// A project of these files; the command is called in the folder `p` of it.
    pub fn of(files: &[(&str, &str)]) -> Self {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let project = Project { folder };
        fs::create_dir(project.temporary()).expect("a folder");
        for (file, text) in files {
            project.write(file, text);
        }
        project
    }

    pub fn folder(&self) -> PathBuf {
        self.folder.path().join("p")
    }

    /// TMPDIR of the command.
    pub fn temporary(&self) -> PathBuf {
        self.folder.path().join("tmp")
    }

    /// Writes a file below the folder that contains the project.
    pub fn write(&self, file: &str, text: &str) {
        let path = self.folder.path().join(file);
        fs::create_dir_all(path.parent().expect("a parent")).expect("a folder");
        fs::write(path, text).expect("a file");
    }

    pub fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_cargo-lockutils"));
        command
            .arg("lockutils")
            .args(arguments)
            .current_dir(self.folder())
            .env("TMPDIR", self.temporary())
            .env("CARGO_TARGET_DIR", self.folder.path().join("target"))
            .env("NO_COLOR", "1")
            .env_remove("OSLO_LOCK_PATH");
        command
    }

    /// Plain cargo, in the same folder, with a lock path.
    pub fn cargo(&self, arguments: &[&str]) -> Output {
        let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
        Command::new(cargo)
            .args(arguments)
            .current_dir(self.folder())
            .env("CARGO_TARGET_DIR", self.folder.path().join("target"))
            .env("OSLO_LOCK_PATH", self.temporary())
            .output()
            .expect("cargo runs")
    }

    /// Deletes the records of tests.
    pub fn forget(&self) {
        let _ = fs::remove_dir_all(self.folder.path().join("seen"));
    }

    pub fn run(&self, arguments: &[&str]) -> Output {
        self.command(arguments).output().expect("the command runs")
    }

    /// The lock path that the test `name` saw.
    pub fn seen(&self, name: &str) -> PathBuf {
        let file = self.folder.path().join("seen").join(name);
        fs::read_to_string(file)
            .unwrap_or_else(|_| panic!("{name} has not run"))
            .into()
    }

    pub fn was_seen(&self, name: &str) -> bool {
        self.folder.path().join("seen").join(name).exists()
    }

    /// The leftovers of the command in its temporary folder.
    pub fn left_behind(&self) -> Vec<PathBuf> {
        fs::read_dir(self.temporary())
            .expect("a folder")
            .map(|entry| entry.expect("an entry").path())
            .filter(|path| name(path).starts_with("cargo-lockutils"))
            .collect()
    }

    /// Sends a signal to a command once it is `ready`. Returns its output, and the time that it took
    /// to end; nothing may be left behind.
    pub fn ended_by(
        &self,
        which: Signal,
        command: &mut Command,
        ready: impl FnOnce(),
    ) -> (Output, Duration) {
        let command = command
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        ready();
        let began = Instant::now();
        signal(&command, which);
        let output = command.wait_with_output().unwrap();
        assert_eq!(self.left_behind(), NOTHING);
        (output, began.elapsed())
    }

    /// Waits until a run of the scenario `contend` has created the file of the lock: in the
    /// directory of the scenario, or in that of its second explorer.
    pub fn until_a_worker_gets_the_lock(&self) {
        until("a worker gets the lock", || {
            let scenario = self.left_behind().pop()?.join("locks/contend");
            ["locks", "1/locks"]
                .iter()
                .filter_map(|locks| fs::read_dir(scenario.join(locks)).ok()?.next())
                .next()
                .map(drop)
        });
    }
}

/// The function with which each test records its lock path, in `seen/` beside the folder `p`; no
/// package is deeper than two levels below it.
pub const RECORD: &str = r#"
    pub fn record(name: &str) {
        let here = std::path::Path::new(env!("CARGO_MANIFEST_DIR"));
        let p = here.ancestors().filter(|folder| folder.ends_with("p")).last().unwrap();
        let seen = p.join("../seen");
        std::fs::create_dir_all(&seen).unwrap();
        let path = std::env::var("OSLO_LOCK_PATH").unwrap();
        assert!(std::path::Path::new(&path).is_dir(), "{path}");
        std::fs::write(std::path::Path::new(&path).join(format!("lock-of-{name}")), "").unwrap();
        std::fs::write(seen.join(name), path).unwrap();
    }
"#;

/// A library `name` with a doctest and a unit test that record under these names.
pub fn library(name: &str, doctest: &str, unit: &str) -> String {
    format!(
        "//! ```\n//! {name}::record(\"{doctest}\");\n//! ```\n{RECORD}\n\
         #[test] fn {unit}() {{ record(\"{unit}\"); }}\n"
    )
}

/// A program with a test that records under this name.
pub fn program(unit: &str) -> String {
    format!(
        "{RECORD}\nfn main() {{ let _ = record; }}\n#[test] fn {unit}() {{ record(\"{unit}\"); }}\n"
    )
}

/// A manifest of a package, and what follows it.
pub fn manifest(name: &str, rest: &str) -> String {
    format!("[package]\nname = \"{name}\"\nversion = \"0.1.0\"\nedition = \"2021\"\n{rest}")
}

/// Sends a signal to the command.
pub fn signal(command: &Child, signal: Signal) {
    kill(Pid::from_raw(command.id().cast_signed()), signal).unwrap();
}

fn name(path: &Path) -> String {
    path.file_name()
        .unwrap_or_default()
        .to_string_lossy()
        .into_owned()
}

/// The leftovers of a correct run.
pub const NOTHING: [PathBuf; 0] = [];

pub fn stderr(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}

pub fn stdout(output: &Output) -> String {
    String::from_utf8_lossy(&output.stdout).into_owned()
}

/// Polls until `event` returns a value, for at most a minute.
pub fn until<T>(what: &str, mut event: impl FnMut() -> Option<T>) -> T {
    let deadline = Instant::now() + Duration::from_secs(60);
    loop {
        if let Some(value) = event() {
            return value;
        }
        assert!(Instant::now() < deadline, "waited in vain: {what}");
        std::thread::sleep(Duration::from_millis(1));
    }
}
