//! The lock file of a name, at the path that tooz gives it.

use std::path::{Component, Path, PathBuf};

use crate::lock_name::LockName;

/// Names that tooz keeps for itself, and the folder of our tokens.
const RESERVED: [&str; 4] = ["groups", "tmp", ".driver_lock", TOKENS];
pub(super) const TOKENS: &str = ".oslo-coordination-tokens";

#[derive(Debug, PartialEq, Eq)]
pub(super) struct LockFile {
    pub(super) folder: PathBuf,
    pub(super) name: String,
    /// The path below the directory of the URL.
    pub(super) relative: PathBuf,
}

impl LockFile {
    /// # Errors
    /// Returns the problem with a name that tooz refuses, or that has no file.
    pub(super) fn of(directory: &Path, name: &LockName) -> Result<Self, &'static str> {
        let Ok(name) = std::str::from_utf8(name.bytes()) else {
            return Err("a file name must be UTF-8");
        };
        let mut relative = PathBuf::new();
        for component in Path::new(name).components() {
            match component {
                Component::Normal(part) => relative.push(part),
                Component::CurDir => {}
                _ => return Err("it leaves the directory; write a relative path without `..`"),
            }
        }
        let first = relative.components().next();
        let first = first.map(|first| first.as_os_str().to_string_lossy().into_owned());
        if first.is_some_and(|first| RESERVED.contains(&first.as_str())) {
            return Err("tooz, or this crate, keeps this name for itself; choose another");
        }
        let path = directory.join(&relative);
        match (
            path.parent(),
            relative.file_name().and_then(|name| name.to_str()),
        ) {
            (Some(folder), Some(name)) => Ok(LockFile {
                folder: folder.to_owned(),
                name: name.to_owned(),
                relative,
            }),
            _ => Err("it is empty"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn path(name: &[u8]) -> Result<PathBuf, &'static str> {
        let file = LockFile::of(Path::new("/locks"), &LockName::new(None, name))?;
        Ok(file.folder.join(file.name))
    }

    #[test]
    fn the_paths_of_tooz() {
        assert_eq!(path(b"volume-7"), Ok("/locks/volume-7".into()));
        assert_eq!(path(b"./a//b"), Ok("/locks/a/b".into()));
    }

    #[test]
    fn names_without_a_file_are_refused() {
        for name in [
            "",
            ".",
            "..",
            "a/../b",
            "/etc/passwd",
            "groups",
            ".driver_lock",
            "tmp/x",
        ] {
            assert!(path(name.as_bytes()).is_err(), "{name}");
        }
        assert!(path(b"\xff").unwrap_err().contains("UTF-8"));
    }
}
