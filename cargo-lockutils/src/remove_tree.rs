//! Removal of a directory and its contents.

use std::fs;
use std::io;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

/// Removes a directory, even if a test took away the permissions of a part of it.
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

/// Gives the owner access to all directories, without following links.
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
