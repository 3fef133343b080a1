//! The mark of a run: a word in the environment of all its processes.

#[cfg(target_os = "linux")]
mod linux;

use std::env;
use std::ffi::OsString;
use std::process::Command;
use std::time::{SystemTime, UNIX_EPOCH};

/// The environment variable. A nested run appends its own mark.
const VARIABLE: &str = "LOCKUTILS_RUN_MARK";

/// The mark of one run.
#[derive(Clone, Debug)]
pub struct RunMark(String);

impl RunMark {
    pub fn new() -> Self {
        let time = SystemTime::now()
            .duration_since(UNIX_EPOCH)
            .unwrap_or_default();
        RunMark(format!("{:x}-{:x}", std::process::id(), time.as_nanos()))
    }

    pub fn from_word(word: &str) -> Self {
        RunMark(word.to_owned())
    }

    pub fn word(&self) -> &str {
        &self.0
    }

    /// Marks the command and its descendants, except those that clear their environment.
    pub fn put_on(&self, command: &mut Command) {
        let mut value = env::var_os(VARIABLE).unwrap_or_default();
        if !value.is_empty() {
            value.push(",");
        }
        value.push(&self.0);
        command.env::<_, OsString>(VARIABLE, value);
    }
}
