//! The files of a lock: those in its directory, and those elsewhere whose names contain the lock's
//! name.

use std::collections::HashMap;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};

/// Recognizes the files of a lock.
#[derive(Debug)]
pub struct LockFiles {
    /// The directory as passed to the workers.
    given: PathBuf,
    /// The directory with links resolved.
    directory: PathBuf,
    /// The name of the lock, which no other file contains.
    name: String,
    /// Folders elsewhere, with links resolved.
    folders: HashMap<PathBuf, Option<PathBuf>>,
}

impl LockFiles {
    /// The files of the lock with this name.
    pub fn new(directory: &Path, name: &str) -> io::Result<Self> {
        Ok(LockFiles {
            given: directory.to_owned(),
            directory: fs::canonicalize(directory)?,
            name: name.to_owned(),
            folders: HashMap::new(),
        })
    }

    /// The lock's directory, with links resolved.
    pub fn directory(&self) -> &Path {
        &self.directory
    }

    /// The name of a file that may belong to the lock, relative to the directory if the file is
    /// below it.
    pub fn name_of(&mut self, path: &Path) -> Option<String> {
        if let Some(inside) = self.below(path) {
            return Some(inside);
        }
        let text = path.to_string_lossy();
        if text.contains(&self.name) {
            return Some(text.into_owned());
        }
        // A link elsewhere may lead here, except from the folders of programs and libraries.
        if ["/proc", "/sys", "/usr", "/lib", "/lib64", "/etc", "/bin"]
            .iter()
            .any(|folder| path.starts_with(folder))
        {
            return None;
        }
        let folder = path.parent()?;
        let leads_to = match self.folders.get(folder) {
            Some(known) => known.clone(),
            None => {
                let leads_to = fs::canonicalize(folder).ok();
                self.folders.insert(folder.to_owned(), leads_to.clone());
                leads_to
            }
        };
        let real = leads_to?.join(path.file_name()?);
        match self.below(&real) {
            Some(inside) => Some(inside),
            None if real.is_symlink() => self.below(&fs::canonicalize(&real).ok()?),
            None => None,
        }
    }

    fn below(&self, path: &Path) -> Option<String> {
        let inside = path
            .strip_prefix(&self.directory)
            .or_else(|_| path.strip_prefix(&self.given))
            .ok()?;
        Some(match inside.as_os_str().is_empty() {
            true => ".".to_owned(),
            false => inside.to_string_lossy().into_owned(),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn files_of_the_lock_are_known_by_whatever_way() {
        let folder = tempfile::tempdir().unwrap();
        let (real, link) = (folder.path().join("real"), folder.path().join("link"));
        fs::create_dir(&real).unwrap();
        std::os::unix::fs::symlink(&real, &link).unwrap();
        std::os::unix::fs::symlink(real.join("file"), folder.path().join("to-file")).unwrap();
        fs::write(real.join("file"), "").unwrap();
        let mut files = LockFiles::new(&real, "lock-5eed").unwrap();
        let mut file = |path: PathBuf| files.name_of(&path);
        assert_eq!(file(real.join("a/b")).as_deref(), Some("a/b"));
        assert_eq!(file(real.clone()).as_deref(), Some("."));
        assert_eq!(file(link.join("a")).as_deref(), Some("a"));
        assert_eq!(file(folder.path().join("to-file")).as_deref(), Some("file"));
        assert_eq!(
            file("/run/x-lock-5eed.pid".into()).as_deref(),
            Some("/run/x-lock-5eed.pid")
        );
        assert_eq!(file(folder.path().join("other")), None);
        assert_eq!(file("/usr/lib/python3/os.py".into()), None);
    }
}
