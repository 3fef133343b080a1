//! `cargo lockutils show-env`: the variable, for a shell or another tool.

use std::path::PathBuf;

use anyhow::{Context, Result};

use crate::cli::{DirectoryOptions, EnvFormat};
use crate::lock_directory::{LockDirectory, VARIABLE};
use crate::say;

pub fn run(format: EnvFormat, lock_path: Option<PathBuf>) -> Result<u8> {
    let options = DirectoryOptions {
        keep: false,
        lock_path,
    };
    let lock_path = LockDirectory::make(&options)?.keep()?;
    let lock_path = lock_path
        .to_str()
        .context("the lock path is not valid UTF-8, which a shell could not take")?;
    say::result(match format {
        EnvFormat::Sh => format!("export {VARIABLE}={}", quoted(lock_path, r"'\''")),
        EnvFormat::Fish => format!("set -gx {VARIABLE} {}", quoted(lock_path, r"\'")),
        EnvFormat::Env => format!("{VARIABLE}={lock_path}"),
    })?;
    Ok(0)
}

fn quoted(text: &str, quote: &str) -> String {
    format!("'{}'", text.replace('\'', quote))
}
