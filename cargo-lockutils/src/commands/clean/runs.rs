//! `clean --runs`: removes the directories of finished runs from the temporary folder.

use crate::lock_directory::{RunState, run_directories};
use crate::lock_scan;
use crate::output;
use crate::remove_tree::remove_tree;
use crate::sys::Status;

/// Removes the directories. Returns the exit status: 1 if one could not be removed.
pub fn clean(kept_too: bool, dry_run: bool) -> Status {
    let removed = if dry_run { "would remove" } else { "removed" };
    let (mut gone, mut failed) = (0, 0);
    for directory in run_directories() {
        let shown = output::printable(&directory.base.to_string_lossy());
        match directory.state {
            RunState::Runs => {
                output::on_stdout(format_args!("{shown} stays: its run is still going on"));
                continue;
            }
            RunState::Kept if !kept_too => {
                output::on_stdout(format_args!(
                    "{shown} stays: kept by --keep or show-env; --kept removes it too"
                ));
                continue;
            }
            RunState::Kept | RunState::Dead | RunState::Empty => {}
        }
        if let Some(user) = lock_scan::user_of_directory(&directory.base) {
            let command = output::shorten(&output::printable(&user.command), output::LONGEST);
            output::on_stdout(format_args!(
                "{shown} stays: process {} uses it: {command}",
                user.pid
            ));
            continue;
        }
        let result = match dry_run {
            true => Ok(()),
            false => remove_tree(&directory.base),
        };
        match result {
            Ok(()) => {
                output::on_stdout(format_args!("{removed} {shown}"));
                gone += 1;
            }
            Err(error) => {
                output::warning(format_args!("{shown} stays: {error}"));
                failed += 1;
            }
        }
    }
    let directories = if gone == 1 {
        "directory"
    } else {
        "directories"
    };
    output::on_stdout(format_args!(
        "{removed} {gone} {directories} of finished runs"
    ));
    Status::from(failed > 0)
}
