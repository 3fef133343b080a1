use std::fs;
use std::io;
use std::path::Path;

use super::Error;
use super::interprocess::{InterProcessLock, lock_file_path};
use crate::files::turnstile_path;
use crate::sys;

/// Removes the lock file of the external lock `name`, if it exists.
///
/// Acquires the lock first, waiting if necessary, and removes the file while the lock is held. A
/// waiter that uses this library finds, after locking, that the path names another file or none,
/// and reopens it.
///
/// Python's oslo.concurrency does not check again: a Python process that opened the file before it
/// was removed locks a file without a name, and excludes no other process. Remove files only when
/// no Python process can be waiting for them.
///
/// On Windows before version 10 1809, and on drives without NTFS, the name stays until every process
/// has closed the file. Until then others cannot acquire the lock, and fail after 60 seconds.
///
/// # Errors
/// The same as acquiring the lock, with [`Error::WouldDeadlock`] if this thread holds it;
/// [`Error::Io`] if the file cannot be removed.
///
/// ```
/// use oslo_concurrency::lockutils;
///
/// let directory = tempfile::tempdir().unwrap();
/// lockutils::lock("image-7").external(true).lock_path(directory.path()).run(|| ())?;
/// lockutils::remove_external_lock_file("image-7", Some(directory.path()))?;
/// assert!(!directory.path().join("image-7").exists());
/// # Ok::<(), lockutils::Error>(())
/// ```
pub fn remove_external_lock_file(name: &str, lock_path: Option<&Path>) -> Result<(), Error> {
    remove(name, None, lock_path)
}

/// [`remove_external_lock_file`] for a lock with a prefix.
///
/// # Errors
/// The same as [`remove_external_lock_file`].
pub fn remove_external_lock_file_with_prefix(
    prefix: &str,
    name: &str,
    lock_path: Option<&Path>,
) -> Result<(), Error> {
    remove(name, Some(prefix), lock_path)
}

fn remove(name: &str, prefix: Option<&str>, lock_path: Option<&Path>) -> Result<(), Error> {
    let path = lock_file_path(name, prefix, lock_path)?;
    let failed = |source| Error::Io {
        name: name.to_owned(),
        path: path.clone(),
        source,
    };
    if !fs::symlink_metadata(&path)
        .map_or_else(absent, |_| Ok(true))
        .map_err(failed)?
    {
        return Ok(());
    }
    let lock = InterProcessLock::new(&path);
    let _guard = lock.acquire()?;
    // While the lock is held, the path names the locked file, unless another program has replaced
    // it. That file stays.
    let locked = lock.identity();
    if locked.is_some() && sys::identity_at(&path).map_err(failed)? == locked {
        let removed = [path.clone(), turnstile_path(&path)].map(fs::remove_file);
        for outcome in removed {
            outcome.map(|()| true).or_else(absent).map_err(failed)?;
        }
    }
    Ok(())
}

fn absent(error: io::Error) -> io::Result<bool> {
    match error.kind() {
        io::ErrorKind::NotFound | io::ErrorKind::NotADirectory => Ok(false),
        _ => Err(error),
    }
}
