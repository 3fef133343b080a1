//! The lock files below a directory.

use std::collections::BTreeMap;
use std::fs::{self, Metadata};
use std::path::{Path, PathBuf};

use crate::sys;

/// Suffix of the file `.NAME.turnstile`, the gate in front of a fair lock
/// (docs/explanation/locks.md).
const TURNSTILE: &str = ".turnstile";

/// Regular files below a directory.
#[derive(Debug, Default)]
pub struct Files {
    /// By the path below the directory.
    files: BTreeMap<PathBuf, Metadata>,
    /// Those that are no lock files, each with the reason.
    other_files: BTreeMap<PathBuf, &'static str>,
}

impl Files {
    fn insert(&mut self, metadata: Metadata, path: PathBuf) {
        let is_hidden = || is_hidden(&path).then_some("hidden");
        if let Some(why) = why_no_lock_file(&metadata).or_else(is_hidden) {
            self.other_files.insert(path.clone(), why);
        }
        self.files.insert(path, metadata);
    }

    /// Files that no lock has created, each with the reason.
    pub fn other_files(&self) -> &BTreeMap<PathBuf, &'static str> {
        &self.other_files
    }

    pub fn iter(&self) -> impl Iterator<Item = (&Path, &Metadata)> {
        self.files
            .iter()
            .map(|(path, metadata)| (&**path, metadata))
    }
}

/// All regular files below `directory`, links not followed; the path itself if it is a file.
pub fn below(directory: &Path) -> Files {
    let mut files = Files::default();
    if let Ok(metadata) = fs::symlink_metadata(directory)
        && metadata.is_file()
    {
        let name = directory.file_name().unwrap_or_default();
        files.insert(metadata, PathBuf::from(name));
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
                    files.insert(metadata, below);
                }
                _ => {}
            }
        }
    }
    files
}

/// The reason, apart from its name, why a file is no lock file; `None` if it may be one.
pub fn why_no_lock_file(metadata: &Metadata) -> Option<&'static str> {
    if !metadata.is_file() {
        Some("not a regular file")
    } else if metadata.len() > 0 {
        Some("not empty")
    } else if sys::number_of_names(metadata) > 1 {
        Some("a file of several names")
    } else {
        None
    }
}

/// Returns `true` for a hidden file, other than a turnstile: no lock has such a name.
pub fn is_hidden(file: &Path) -> bool {
    let name = file.file_name().unwrap_or_default().to_string_lossy();
    name.starts_with('.') && lock_of_turnstile(file).is_none()
}

/// The lock behind a turnstile; `None` if the file is no turnstile.
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

    proptest::proptest! {
        #[test]
        fn any_name_is_a_turnstile_or_not(text in "(?s).{0,20}(\\.turnstile)?") {
            lock_of_turnstile(Path::new(&text));
        }
    }

    #[test]
    fn a_path_that_is_a_file_is_the_only_one() {
        let directory = tempfile::tempdir().unwrap();
        for file in ["a", "b"] {
            fs::write(directory.path().join(file), "").unwrap();
        }
        let names = |path: &Path| -> Vec<PathBuf> {
            below(path).iter().map(|(file, _)| file.into()).collect()
        };
        assert_eq!(names(&directory.path().join("a")), [PathBuf::from("a")]);
        assert_eq!(names(directory.path()).len(), 2);
    }
}
