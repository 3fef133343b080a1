//! `cargo lockutils show-env`: prints OSLO_LOCK_PATH for a shell or another tool.

use std::env;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail, ensure};

use crate::cli::{DirectoryOptions, EnvFormat};
use crate::lock_directory::{LockDirectory, VARIABLE, kept_directory_of};
use crate::lock_scan;
use crate::output;
use crate::remove_tree::remove_tree;
use crate::sys::Status;

pub fn run(format: EnvFormat, lock_path: Option<PathBuf>) -> Result<Status> {
    let options = DirectoryOptions {
        keep: false,
        lock_path,
    };
    let lock_path = LockDirectory::make(&options)?.keep()?;
    let lock_path = lock_path
        .to_str()
        .context("the lock path is not valid UTF-8, so no shell can use it")?;
    output::result(match format {
        EnvFormat::Sh => format!("export {VARIABLE}={}", for_sh(lock_path)),
        EnvFormat::Fish => format!("set -gx {VARIABLE} {}", for_fish(lock_path)),
        EnvFormat::Env => {
            ensure!(
                !lock_path.contains('\n'),
                "an env file cannot contain a lock path with a line break: {}",
                output::printable(lock_path)
            );
            format!("{VARIABLE}={lock_path}")
        }
        EnvFormat::Powershell => format!("$env:{VARIABLE} = {}", for_powershell(lock_path)),
        EnvFormat::Cmd => {
            // In a batch file, nothing can keep `%` from being read.
            ensure!(
                !lock_path.contains(['"', '%', '\n']),
                "cmd cannot be given a lock path with `\"`, `%` or a line break in it: {}",
                output::printable(lock_path)
            );
            format!("set \"{VARIABLE}={lock_path}\"")
        }
    })?;
    Ok(0)
}

/// Removes the directory that an earlier `show-env` created, and prints the command that unsets the
/// variable.
pub fn unset(format: EnvFormat) -> Result<Status> {
    let lock_path = env::var_os(VARIABLE)
        .map(PathBuf::from)
        .with_context(|| format!("{VARIABLE} is not set: there is nothing to unset"))?;
    let base = kept_directory_of(&lock_path);
    if let Some(base) = &base {
        remove_unused(base, &lock_path)?;
    }
    output::result(match format {
        EnvFormat::Sh => format!("unset {VARIABLE}"),
        EnvFormat::Fish => format!("set -e {VARIABLE}"),
        // An env file cannot unset a variable.
        EnvFormat::Env => format!("{VARIABLE}="),
        EnvFormat::Powershell => format!("Remove-Item Env:{VARIABLE}"),
        EnvFormat::Cmd => format!("set \"{VARIABLE}=\""),
    })?;
    if base.is_none() {
        output::note(format_args!(
            "{} stays: `show-env` did not create it",
            output::printable(&lock_path.to_string_lossy())
        ));
    }
    Ok(0)
}

/// Removes the directory unless a process has a lock file open. Processes that only have the
/// variable set do not count.
fn remove_unused(base: &Path, lock_path: &Path) -> Result<()> {
    let scan = lock_scan::scan(lock_path);
    if let Some((file, _)) = scan.files.iter().find(|(_, users)| !users.is_empty()) {
        bail!(
            "{} is in use, so {} stays; `cargo lockutils ls` shows by which process",
            output::printable(&file.to_string_lossy()),
            base.display()
        );
    }
    remove_tree(base).with_context(|| format!("cannot remove {}", base.display()))
}

/// Quotes for sh, which has no escapes within single quotes.
fn for_sh(text: &str) -> String {
    format!("'{}'", text.replace('\'', r"'\''"))
}

/// Quotes for fish, whose only escapes within single quotes are `\'` and `\\`.
fn for_fish(text: &str) -> String {
    format!("'{}'", text.replace('\\', r"\\").replace('\'', r"\'"))
}

/// Quotes for PowerShell, in which a quote within single quotes is written twice.
fn for_powershell(text: &str) -> String {
    format!("'{}'", text.replace('\'', "''"))
}
