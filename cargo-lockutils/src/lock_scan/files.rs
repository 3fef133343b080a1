//! The lock files below a directory.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::fs::{self, Metadata};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

/// What the name of a turnstile's file ends in: the gate in front of a fair lock, `.NAME.turnstile` (docs/locks.md).
const TURNSTILE: &str = ".turnstile";

/// Device and inode, as stat(2) gives them.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Identity {
    pub device: u64,
    pub inode: u64,
}

impl Identity {
    pub fn of(metadata: &Metadata) -> Self {
        Identity {
            device: metadata.dev(),
            inode: metadata.ino(),
        }
    }
}

/// Regular files, and their paths below the directory.
#[derive(Debug, Default)]
pub struct Files {
    paths: HashMap<Identity, PathBuf>,
    inodes: HashSet<u64>,
    /// Why some are no lock files.
    foreign: BTreeMap<PathBuf, &'static str>,
}

impl Files {
    fn insert(&mut self, metadata: &Metadata, path: PathBuf) {
        let file = Identity::of(metadata);
        let is_hidden = || is_hidden(&path).then_some("hidden");
        if let Some(why) = why_no_lock_file(metadata).or_else(is_hidden) {
            self.foreign.insert(path.clone(), why);
        }
        self.inodes.insert(file.inode);
        self.paths.insert(file, path);
    }

    pub fn contains(&self, file: Identity) -> bool {
        self.paths.contains_key(&file)
    }

    /// Whether one of the files has this inode, on whatever device.
    pub fn has_inode(&self, inode: u64) -> bool {
        self.inodes.contains(&inode)
    }

    pub fn is_empty(&self) -> bool {
        self.paths.is_empty()
    }

    /// Those that no lock has made, with the reason.
    pub fn foreign(&self) -> &BTreeMap<PathBuf, &'static str> {
        &self.foreign
    }

    pub fn iter(&self) -> impl Iterator<Item = (Identity, &Path)> {
        self.paths.iter().map(|(&file, path)| (file, &**path))
    }
}

/// All regular files below `directory`, links not followed; of a path that is a file, that one.
pub fn below(directory: &Path) -> Files {
    let mut files = Files::default();
    if let Ok(metadata) = fs::symlink_metadata(directory)
        && metadata.is_file()
    {
        let name = directory.file_name().unwrap_or_default();
        files.insert(&metadata, PathBuf::from(name));
        return files;
    }
    let mut left = vec![directory.to_owned()];
    while let Some(next) = left.pop() {
        for entry in fs::read_dir(&next).into_iter().flatten().flatten() {
            let path = entry.path();
            match entry.metadata() {
                Ok(metadata) if metadata.is_dir() => left.push(path),
                Ok(metadata) if metadata.is_file() => {
                    let below = path.strip_prefix(directory).unwrap_or(&path).to_owned();
                    files.insert(&metadata, below);
                }
                _ => {}
            }
        }
    }
    files
}

/// Why the file is none that a lock made, but for its name.
pub fn why_no_lock_file(metadata: &Metadata) -> Option<&'static str> {
    if !metadata.is_file() {
        Some("not a regular file")
    } else if metadata.len() > 0 {
        Some("not empty")
    } else if metadata.nlink() > 1 {
        Some("a file of several names")
    } else {
        None
    }
}

/// Whether the name is one that no lock has; that of a turnstile is.
pub fn is_hidden(file: &Path) -> bool {
    let name = file.file_name().unwrap_or_default().to_string_lossy();
    name.starts_with('.') && lock_of_turnstile(file).is_none()
}

/// The lock whose turnstile this file is, if it is one.
pub fn lock_of_turnstile(file: &Path) -> Option<PathBuf> {
    let name = file.file_name()?.to_str()?;
    let lock = name.strip_prefix('.')?.strip_suffix(TURNSTILE)?;
    (!lock.is_empty()).then(|| file.with_file_name(lock))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_turnstile_leads_to_its_lock() {
        let lock = |file: &str| lock_of_turnstile(Path::new(file));
        assert_eq!(lock("a/.b.turnstile"), Some("a/b".into()));
        assert_eq!(
            (lock("b.turnstile"), lock("..turnstile"), lock("a/b")),
            (None, None, None)
        );
    }

    #[test]
    fn a_path_that_is_a_file_is_the_only_one() {
        let directory = tempfile::tempdir().unwrap();
        for file in ["a", "b"] {
            fs::write(directory.path().join(file), "").unwrap();
        }
        let names = |path: &Path| -> Vec<PathBuf> {
            below(path).iter().map(|(_, file)| file.into()).collect()
        };
        assert_eq!(names(&directory.path().join("a")), [PathBuf::from("a")]);
        assert_eq!(names(directory.path()).len(), 2);
    }
}
