//! `cargo lockutils` as users run it: on the PATH, in a project in a folder of its own.

use std::ffi::OsString;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use std::sync::OnceLock;

use crate::python::target_folder;

/// The folder of this workspace.
pub fn workspace() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("..")
        .canonicalize()
        .expect("the workspace is there")
}

/// The folder that contains `cargo-lockutils`, which is built if necessary.
///
/// # Panics
/// Panics if it cannot be built.
pub fn folder() -> &'static Path {
    static FOLDER: OnceLock<PathBuf> = OnceLock::new();
    FOLDER.get_or_init(|| {
        let output = Command::new(env!("CARGO"))
            .args([
                "build",
                "--quiet",
                "--package",
                "cargo-lockutils",
                "--target-dir",
            ])
            .arg(target_folder())
            .current_dir(workspace())
            .output()
            .expect("cargo runs");
        assert!(output.status.success(), "{}", text(&output));
        target_folder().join("debug")
    })
}

/// A temporary folder with a package `cache` that has a synchronized function `refresh`, as a new
/// user writes it.
#[derive(Debug)]
pub struct Newcomer {
    folder: tempfile::TempDir,
}

impl Newcomer {
    /// Creates an empty folder.
    ///
    /// # Panics
    /// Panics if it cannot be created.
    pub fn in_an_empty_folder() -> Self {
        Newcomer {
            folder: tempfile::tempdir().expect("a temporary folder"),
        }
    }

    /// The folder, which was empty at first.
    pub fn folder(&self) -> &Path {
        self.folder.path()
    }

    /// The package that is created in it.
    pub fn package(&self) -> PathBuf {
        self.folder().join("cache")
    }

    /// Runs `cargo new`, and adds the dependency and one synchronized function with a test.
    ///
    /// # Panics
    /// Panics if cargo fails.
    pub fn begins(&self) {
        let made = self.command(
            "cargo",
            self.folder(),
            &["new", "--quiet", "--lib", "--vcs", "none", "cache"],
        );
        assert!(made.status.success(), "{}", text(&made));
        let library = workspace().join("oslo-concurrency");
        let added = self.cargo(&["add", "--quiet", "--path", &library.to_string_lossy()]);
        assert!(added.status.success(), "{}", text(&added));
        self.write(
            "src/lib.rs",
            r#"//! A cache that several processes refresh.

use oslo_concurrency::lockutils;

#[lockutils::synchronized("cache", external)]
pub fn refresh() -> Result<u32, lockutils::Error> {
    Ok(42)
}

#[test]
fn it_is_refreshed() {
    assert_eq!(refresh().unwrap(), 42);
}
"#,
        );
    }

    /// Runs cargo in the package, with our command on the PATH.
    pub fn cargo(&self, arguments: &[&str]) -> Output {
        self.command("cargo", &self.package(), arguments)
    }

    fn command(&self, program: &str, folder: &Path, arguments: &[&str]) -> Output {
        let mut command = Command::new(program);
        command.args(arguments);
        self.run(command, folder)
    }

    /// Runs any command in a folder, in the environment of a user who has installed our command.
    ///
    /// # Panics
    /// Panics if it cannot be run.
    pub fn run(&self, mut command: Command, folder: &Path) -> Output {
        command
            .current_dir(folder)
            .env("PATH", path())
            .env("CARGO_TARGET_DIR", shared_target())
            .env("NO_COLOR", "1")
            .env_remove("OSLO_LOCK_PATH")
            .output()
            .unwrap_or_else(|error| panic!("{command:?}: {error}"))
    }

    /// Writes a file of the package.
    ///
    /// # Panics
    /// Panics if that fails.
    pub fn write(&self, file: &str, text: &str) {
        let path = self.package().join(file);
        fs::create_dir_all(path.parent().expect("a folder")).expect("a folder");
        fs::write(path, text).expect("a file");
    }

    /// Reads a file of the package.
    ///
    /// # Panics
    /// Panics if that fails.
    pub fn read(&self, file: &str) -> String {
        fs::read_to_string(self.package().join(file))
            .unwrap_or_else(|error| panic!("{file}: {error}"))
    }

    /// Adds profiles to the manifest that are as short as a test can bear.
    ///
    /// # Panics
    /// Panics if that fails.
    pub fn hurries(&self) {
        let manifest = self.read("Cargo.toml");
        let table = "package.metadata.lockutils.profiles";
        self.write(
            "Cargo.toml",
            &format!(
                "{manifest}\n[{table}.pull-request]\nduration = \"2s\"\n\
                 explore-duration = \"20s\"\nschedules = 30\nseed = 1\n\
                 [{table}.nightly]\nduration = \"3s\"\nexplore-duration = \"20s\"\n\
                 schedules = 40\nseed = \"random\"\n"
            ),
        );
    }
}

/// The target folder that all packages share, so that dependencies are built once.
fn shared_target() -> PathBuf {
    target_folder().join("newcomer")
}

/// The PATH with our command first.
pub fn path() -> OsString {
    let paths = std::env::var_os("PATH").unwrap_or_default();
    std::env::join_paths(std::iter::once(folder().to_owned()).chain(std::env::split_paths(&paths)))
        .expect("a PATH")
}

/// The whole output of a command.
pub fn text(output: &Output) -> String {
    String::from_utf8_lossy(&output.stdout).into_owned() + &String::from_utf8_lossy(&output.stderr)
}
