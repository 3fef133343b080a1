//! A Python with oslo.concurrency, in a virtual environment below cargo's target folder.

use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::conversation::Conversation;

/// The packages of the interoperation tests.
const PACKAGES: [&str; 2] = ["oslo.concurrency==7.6.1", "fasteners==0.20"];

/// The interpreter of the virtual environment of the interoperation tests.
///
/// # Panics
/// The same as [`environment`].
pub fn interpreter() -> PathBuf {
    environment(&PACKAGES)
}

/// The interpreter of a virtual environment with these packages, which is created if it is missing;
/// concurrent tests create it once.
///
/// # Panics
/// Panics with installation advice if it cannot be created.
pub fn environment(packages: &[&str]) -> PathBuf {
    let environment = target_folder().join("python").join(packages.join("+"));
    let done = environment.join("done");
    let python = environment.join("bin/python3");
    fs::create_dir_all(&environment).expect("the target folder is writable");
    let lock = File::create(environment.with_extension("lock")).expect("a file");
    lock.lock().expect("the file system locks");
    if !done.exists() {
        run(
            Command::new("python3")
                .arg("-m")
                .arg("venv")
                .arg(&environment),
            "on Debian: apt-get install python3-venv",
        );
        run(
            Command::new(&python)
                .args([
                    "-m",
                    "pip",
                    "install",
                    "--quiet",
                    "--disable-pip-version-check",
                ])
                .args(packages),
            "it needs PyPI, or an index that PIP_INDEX_URL names",
        );
        File::create(&done).expect("a file");
    }
    python
}

/// Starts `tests/python/oslo_worker.py` with OSLO_LOCK_PATH set to `lock_path`.
pub fn oslo_worker(lock_path: &Path) -> Conversation {
    let mut command = script("oslo_worker.py");
    command.env("OSLO_LOCK_PATH", lock_path);
    Conversation::start(command)
}

/// A command that runs a script of `tests/python`.
pub fn script(name: &str) -> Command {
    script_with(&PACKAGES, name)
}

/// The same in an environment with other packages.
pub fn script_with(packages: &[&str], name: &str) -> Command {
    let script = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("python")
        .join(name);
    let mut command = Command::new(environment(packages));
    command.arg(script);
    command
}

/// Cargo's target folder.
///
/// # Panics
/// Panics if this program is not in one.
pub fn target_folder() -> PathBuf {
    let executable = std::env::current_exe().expect("our own path");
    executable
        .ancestors()
        .find(|folder| folder.join("CACHEDIR.TAG").exists())
        .expect("a test binary lies in cargo's target folder")
        .to_owned()
}

fn run(command: &mut Command, advice: &str) {
    match command.output() {
        Ok(output) if output.status.success() => {}
        Ok(output) => panic!(
            "{command:?} failed ({advice}): {}",
            String::from_utf8_lossy(&output.stderr)
        ),
        Err(error) => panic!("{command:?} cannot be run ({advice}): {error}"),
    }
}
