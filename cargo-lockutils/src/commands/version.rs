//! `cargo lockutils --version --verbose`: the platform, and what is available on it.

use std::env::consts::{ARCH, OS};
use std::ffi::OsString;

use anyhow::Result;

use crate::output;
use crate::sys::{self, Status};

/// Returns `true` if the arguments ask for the verbose version and nothing else.
pub fn is_meant(arguments: &[OsString]) -> bool {
    let mut words = arguments.iter().skip(1).peekable();
    words.next_if(|word| *word == "lockutils");
    let (mut version, mut verbose) = (false, false);
    for word in words {
        match word.to_str() {
            Some("--version" | "-V") => version = true,
            Some("--verbose" | "-v") => verbose = true,
            Some("-Vv" | "-vV") => (version, verbose) = (true, true),
            _ => return false,
        }
    }
    version && verbose
}

pub fn run() -> Result<Status> {
    let mut text = format!(
        "cargo lockutils {}\nplatform: {ARCH} {OS}",
        env!("CARGO_PKG_VERSION")
    );
    for (name, value) in sys::facts() {
        text += &format!("\n{name}: {value}");
    }
    output::result(text)?;
    Ok(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_version_and_verbose_together_are_meant() {
        let meant = |line: &str| {
            let words: Vec<OsString> = line.split(' ').map(OsString::from).collect();
            is_meant(&words)
        };
        for line in [
            "c --version --verbose",
            "c lockutils -V -v",
            "c -Vv",
            "c lockutils --verbose --version",
        ] {
            assert!(meant(line), "{line}");
        }
        for line in ["c", "c --version", "c -v", "c test --version --verbose"] {
            assert!(!meant(line), "{line}");
        }
    }
}
