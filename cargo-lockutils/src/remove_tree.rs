//! Removal of a directory and its contents.

use std::fs;
use std::io;
use std::path::Path;
use std::thread;
use std::time::{Duration, Instant};

use crate::sys;

/// Time for files that are still open to be closed, where they keep their directory.
const PATIENCE: Duration = Duration::from_secs(3);

/// Removes a directory, even if a test took away the permissions of a part of it.
pub fn remove_tree(base: &Path) -> io::Result<()> {
    let removed = remove_once(base);
    if !sys::OPEN_FILES_STAY {
        return removed;
    }
    let deadline = Instant::now() + PATIENCE;
    let mut removed = removed;
    while removed.is_err() && Instant::now() < deadline {
        thread::sleep(Duration::from_millis(20));
        removed = remove_once(base);
    }
    removed
}

fn remove_once(base: &Path) -> io::Result<()> {
    let gone = |result: io::Result<()>| match result {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        result => result,
    };
    gone(fs::remove_dir_all(base)).or_else(|_| {
        make_accessible(base);
        gone(fs::remove_dir_all(base))
    })
}

/// Gives the owner access to everything, without following links.
fn make_accessible(base: &Path) {
    let mut left = vec![base.to_owned()];
    while let Some(path) = left.pop() {
        let Ok(metadata) = fs::symlink_metadata(&path) else {
            continue;
        };
        if metadata.is_symlink() {
            continue;
        }
        sys::make_accessible(&path);
        if metadata.is_dir() {
            let entries = fs::read_dir(&path).into_iter().flatten().flatten();
            left.extend(entries.map(|entry| entry.path()));
        }
    }
}
