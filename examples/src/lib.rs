//! A device that can talk to one process at a time, and a function that ensures it.

use std::fs::{self, File};
use std::path::PathBuf;

use anyhow::{Context, Result};
use oslo_concurrency::lockutils;

/// Sends a command to the device and returns its answer. Any number of threads and processes may
/// call this.
///
/// # Errors
/// Returns an error if the lock cannot be acquired, or if two callers talk to the device at once.
#[lockutils::synchronized("device-0", external)]
pub fn ask(command: &str) -> Result<String> {
    // The line is busy while this file exists; a second caller is an error of the device.
    let line = line();
    File::create_new(&line).context("two talk to the device")?;
    let answer = match command {
        "identify" => "thermometer".to_owned(),
        "measure" => "21.5".to_owned(),
        other => format!("what is {other}?"),
    };
    fs::remove_file(line)?;
    Ok(answer)
}

/// The location of the device: beside the locks, so that each run of the tests has its own.
fn line() -> PathBuf {
    lockutils::get_lock_path()
        .unwrap_or_else(std::env::temp_dir)
        .join("line-of-device-0")
}
