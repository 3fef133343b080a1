//! A Rust and a Python process that count in one file, under one lock.

use std::env;
use std::fs;
use std::path::Path;
use std::process::Command;

use anyhow::{Context, Result, ensure};
use oslo_concurrency::lockutils;

const ROUNDS: u32 = 200;

/// Gives the lock file the name `myapp-counter`, the same as for `@synchronized('counter',
/// external=True)` of a Python `myapp`.
static MYAPP: lockutils::Synchronizer = lockutils::synchronized_with_prefix("myapp");

#[lockutils::synchronized("counter", external, with = MYAPP)]
fn count(file: &Path) -> Result<()> {
    let counted: u32 = fs::read_to_string(file)?.trim().parse()?;
    fs::write(file, (counted + 1).to_string())?;
    Ok(())
}

fn main() -> Result<()> {
    let folder = tempfile::tempdir()?;
    let locks = folder.path().join("locks");
    lockutils::set_defaults(&locks);
    let file = folder.path().join("count");
    fs::write(&file, "0")?;
    let python = env::var_os("PYTHON").unwrap_or_else(|| "python3".into());
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("python_and_rust.py");
    let mut other = Command::new(&python)
        .arg(script)
        .arg(&file)
        .arg(ROUNDS.to_string())
        .env("OSLO_LOCK_PATH", &locks)
        .spawn()
        .with_context(|| format!("{} cannot be run", python.display()))?;
    for _ in 0..ROUNDS {
        count(&file)?;
    }
    ensure!(
        other.wait()?.success(),
        "Python failed; is oslo.concurrency installed (pip install oslo.concurrency)?"
    );
    let counted = fs::read_to_string(&file)?;
    ensure!(
        counted == (2 * ROUNDS).to_string(),
        "{counted} of {} counts are left",
        2 * ROUNDS
    );
    println!("Rust and Python have both finished, and no count was lost");
    Ok(())
}
