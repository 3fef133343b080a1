//! The lock files below a directory.

use std::collections::{HashMap, HashSet};
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
}

impl Files {
    fn insert(&mut self, metadata: &Metadata, path: PathBuf) {
        let file = Identity::of(metadata);
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
