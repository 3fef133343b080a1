//! Fencing tokens: a counter for each lock, in a file that only the holder of the lock changes.

use std::fs::{self, File};
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use oslo_concurrency::lockutils;

use super::names::{LockFile, TOKENS};

#[derive(Debug)]
pub(super) struct Tokens {
    directory: PathBuf,
}

impl Tokens {
    pub(super) fn open(directory: &Path) -> io::Result<Self> {
        let directory = directory.join(TOKENS);
        fs::create_dir_all(&directory)?;
        Ok(Tokens { directory })
    }

    /// The next number, which is on the disk when this returns. The caller holds the lock.
    pub(super) fn next(&self, file: &LockFile) -> Result<u64, lockutils::Error> {
        // Every counter has an extension, so no name can be that of another's temporary file.
        let mut path = self.directory.join(&file.relative).into_os_string();
        path.push(".token");
        let path = PathBuf::from(path);
        increment(&path).map_err(|source| lockutils::Error::Io {
            name: file.name.clone(),
            path,
            source,
        })
    }
}

/// Replaces the file as a whole: a crash leaves the old number or the new one.
fn increment(path: &Path) -> io::Result<u64> {
    let last = match fs::read_to_string(path) {
        Ok(text) => text.trim().parse::<u64>().map_err(|_| {
            let problem = format!("{text:?} is no token; write the last one that was used");
            io::Error::new(io::ErrorKind::InvalidData, problem)
        })?,
        Err(error) if error.kind() == io::ErrorKind::NotFound => 0,
        Err(error) => return Err(error),
    };
    let next = last + 1;
    let folder = path.parent().unwrap_or(path);
    fs::create_dir_all(folder)?;
    let temporary = path.with_extension("new");
    let mut file = File::create(&temporary)?;
    writeln!(file, "{next}")?;
    file.sync_all()?;
    fs::rename(&temporary, path)?;
    #[cfg(unix)]
    File::open(folder)?.sync_all()?;
    Ok(next)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_grow_and_a_damaged_file_is_an_error() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("a/b.token");
        assert_eq!(increment(&path).unwrap(), 1);
        assert_eq!(increment(&path).unwrap(), 2);
        assert_eq!(fs::read_to_string(&path).unwrap(), "2\n");
        fs::write(&path, "two").unwrap();
        assert!(
            increment(&path)
                .unwrap_err()
                .to_string()
                .contains("no token")
        );
    }
}
