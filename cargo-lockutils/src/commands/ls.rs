//! `cargo lockutils ls`: shows the holders and waiters of lock files.

mod json;
mod table;

use anyhow::Result;

use crate::cli::LsOptions;
use crate::lock_scan;
use crate::output;

pub fn run(options: &LsOptions) -> Result<u8> {
    let lock_path = options.lock_path.existing()?;
    let scan = lock_scan::scan(&lock_path);
    if options.json {
        output::result(json::of(&lock_path, &scan)?)?;
        return Ok(0);
    }
    output::on_stdout(table::of(&scan, options.all, table::width()).trim_end());
    if scan.hidden > 0 {
        output::note(hidden(scan.hidden));
    }
    Ok(0)
}

/// The note about processes that could not be inspected, with a remedy.
pub fn hidden(processes: usize) -> String {
    let (count, them) = match processes {
        1 => ("1 process".to_owned(), "it"),
        n => (format!("{n} processes"), "them"),
    };
    if nix::unistd::geteuid().is_root() {
        format!("{count} could not be inspected even as root; a container may forbid it")
    } else {
        format!("{count} of other users could not be inspected; run as root to see {them}")
    }
}
