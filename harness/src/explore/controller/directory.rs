//! The lock's directory, as the scheduler sees and changes it.

use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::Path;
use std::time::{Duration, SystemTime};

use nix::fcntl::AT_FDCWD;
use nix::sys::stat::{UtimensatFlags, utimensat};
use nix::sys::time::TimeSpec;

use super::Controller;

impl Controller<'_> {
    /// Sets the times of all files in the directory back by this duration.
    pub fn age_files(&self, by: Duration) {
        age_all(self.files.directory(), by);
    }

    /// Sets the times of these files, relative to the directory, back by this duration.
    pub fn age(&self, names: &[&str], by: Duration) {
        for name in names {
            age(&self.files.directory().join(name), by);
        }
    }

    /// Name, inode and size of each file in the directory.
    pub fn fingerprint(&self) -> Vec<(String, u64, u64)> {
        let entries = fs::read_dir(self.files.directory());
        let mut all: Vec<_> = entries
            .into_iter()
            .flatten()
            .flatten()
            .filter_map(|entry| {
                let meta = entry.metadata().ok()?;
                let name = entry.file_name().to_string_lossy().into_owned();
                Some((name, meta.ino(), meta.len()))
            })
            .collect();
        all.sort();
        all
    }

    /// Deletes the files of the lock.
    pub fn unlink(&self) {
        self.spawner.delete_files();
    }
}

fn age_all(directory: &Path, by: Duration) {
    for entry in fs::read_dir(directory).into_iter().flatten().flatten() {
        let path = entry.path();
        if entry.file_type().is_ok_and(|kind| kind.is_dir()) {
            age_all(&path, by);
        }
        age(&path, by);
    }
}

fn age(path: &Path, by: Duration) {
    let since_1970 = SystemTime::now()
        .duration_since(SystemTime::UNIX_EPOCH)
        .unwrap_or_default();
    let then = TimeSpec::from_duration(since_1970.saturating_sub(by));
    // For a symbolic link, changes the times of the link itself.
    let flags = UtimensatFlags::NoFollowSymlink;
    let _ = utimensat(AT_FDCWD, path, &then, &then, flags);
}
