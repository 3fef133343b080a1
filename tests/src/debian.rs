//! Programs from Debian's packages.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::{Mutex, PoisonError};

use anyhow::{Context, Result, bail};

/// apt-get fails beside another one.
static ALONE: Mutex<()> = Mutex::new(());

/// The program of this name, in PATH or in a folder of servers; its package is installed if it is
/// missing.
///
/// # Errors
/// Returns an error if apt-get fails.
pub fn provide(program: &str, package: &str) -> Result<PathBuf> {
    let find = || {
        let path = std::env::var_os("PATH").unwrap_or_default();
        let folders: Vec<PathBuf> = std::env::split_paths(&path).collect();
        let servers = ["/usr/sbin", "/usr/local/sbin"].map(PathBuf::from);
        let candidates = folders
            .into_iter()
            .chain(servers)
            .map(|folder| folder.join(program));
        candidates.into_iter().find(|program| program.exists())
    };
    match find() {
        Some(program) => Ok(program),
        None => {
            let _alone = ALONE.lock().unwrap_or_else(PoisonError::into_inner);
            if find().is_none() {
                install(package)?;
            }
            find().with_context(|| format!("{package} has no {program}"))
        }
    }
}

/// Installs a package: as root, else with sudo.
///
/// # Errors
/// Returns an error if apt-get fails.
pub fn install(package: &str) -> Result<()> {
    apt_get(&["update", "-qq"])?;
    apt_get(&[
        "install",
        "-qq",
        "-y",
        "-o",
        "DPkg::Lock::Timeout=300",
        "--no-install-recommends",
        package,
    ])
}

fn apt_get(args: &[&str]) -> Result<()> {
    let mut command = match nix::unistd::geteuid().is_root() {
        true => Command::new("apt-get"),
        false => {
            let mut sudo = Command::new("sudo");
            sudo.args(["-n", "DEBIAN_FRONTEND=noninteractive", "apt-get"]);
            sudo
        }
    };
    command.args(args).env("DEBIAN_FRONTEND", "noninteractive");
    let output = command.output().with_context(|| format!("{command:?}"))?;
    match output.status.success() {
        true => Ok(()),
        false => bail!("{command:?}: {}", String::from_utf8_lossy(&output.stderr)),
    }
}

/// Creates a folder that a server expects, if that is permitted.
pub fn provide_folder(folder: &Path) {
    if nix::unistd::geteuid().is_root() {
        let _ = std::fs::create_dir_all(folder);
    }
}
