//! `cargo lockutils ls`: shows the holders and waiters of lock files.

mod json;
mod table;

use anyhow::Result;

use crate::cli::LsOptions;
use crate::lock_scan;
use crate::output;
use crate::sys::Status;

pub fn run(options: &LsOptions) -> Result<Status> {
    let lock_path = options.lock_path.existing()?;
    let scan = lock_scan::scan(&lock_path);
    if options.json {
        output::result(json::of(&lock_path, &scan)?)?;
        return Ok(0);
    }
    output::on_stdout(table::of(&scan, options.all, table::width()).trim_end());
    if scan.hidden > 0 {
        output::note(lock_scan::hidden(scan.hidden));
    }
    if let Some(limits) = lock_scan::LIMITS {
        output::note(limits);
    }
    Ok(0)
}
