//! Removal of a directory and all that is in it.

use std::fs;
use std::io;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

/// Removes a directory, also if a test has left a part of it that its owner may not read or write.
pub fn remove_tree(base: &Path) -> io::Result<()> {
    let gone = |result: io::Result<()>| match result {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        result => result,
    };
    gone(fs::remove_dir_all(base)).or_else(|_| {
        make_accessible(base);
        gone(fs::remove_dir_all(base))
    })
}

/// Lets the owner into all directories. Links are not followed.
fn make_accessible(base: &Path) {
    let mut left = vec![base.to_owned()];
    while let Some(directory) = left.pop() {
        let is_directory =
            |path: &Path| fs::symlink_metadata(path).is_ok_and(|metadata| metadata.is_dir());
        if !is_directory(&directory) {
            continue;
        }
        let _ = fs::set_permissions(&directory, fs::Permissions::from_mode(0o700));
        let entries = fs::read_dir(&directory).into_iter().flatten().flatten();
        left.extend(entries.map(|entry| entry.path()));
    }
}
