//! `cargo lockutils ls`: shows the holders and waiters of lock files.

mod json;
mod table;

use anyhow::Result;

use crate::cli::LsOptions;
use crate::lock_scan;
use crate::say;
use crate::sys::Status;

pub fn run(options: &LsOptions) -> Result<Status> {
    let lock_path = options.lock_path.existing()?;
    let scan = lock_scan::scan(&lock_path);
    if options.json {
        say::result(json::of(&lock_path, &scan)?)?;
        return Ok(0);
    }
    say::on_stdout(table::of(&scan, options.all, table::width()).trim_end());
    if scan.hidden > 0 {
        say::note(lock_scan::hidden(scan.hidden));
    }
    if let Some(limits) = lock_scan::LIMITS {
        say::note(limits);
    }
    Ok(0)
}
