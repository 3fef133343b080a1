//! `clean --runs`: removes the directories of finished runs from the temporary folder.

use lockutils_harness::procfs;

use crate::lock_directory::{RunState, run_directories};
use crate::output;
use crate::remove_tree::remove_tree;

/// Removes the directories. Returns the exit status: 1 if one could not be removed.
pub fn clean(kept_too: bool, dry_run: bool) -> u8 {
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
        if let Some(user) = procfs::with_files_in(&directory.base).into_iter().next() {
            let command = output::printable(&procfs::command(user));
            output::on_stdout(format_args!(
                "{shown} stays: process {user} uses it: {command}"
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
    u8::from(failed > 0)
}
