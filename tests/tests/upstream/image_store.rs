use std::{fs, path::Path};

use anyhow::Result;
use oslo_concurrency::lockutils::{self, Error, Synchronizer};

static IMAGES: Synchronizer = lockutils::synchronized_with_prefix("images");

/// Adds an image atomically.
#[lockutils::synchronized("cache", external, with = IMAGES)]
pub fn store(directory: &Path, name: &str, data: &[u8]) -> Result<()> {
    let part = directory.join(format!("{name}.part"));
    fs::write(&part, data)?;
    fs::rename(part, directory.join(name))?;
    Ok(())
}

/// Removes all images, unless another process is using them.
pub fn clean(directory: &Path) -> Result<Option<usize>> {
    let lock = IMAGES.lock("cache").external(true).blocking(false);
    let _guard = match lock.acquire() {
        Err(Error::NotAcquired { .. }) => return Ok(None),
        guard => guard?,
    };
    let mut removed = 0;
    for image in fs::read_dir(directory)? {
        fs::remove_file(image?.path())?;
        removed += 1;
    }
    Ok(Some(removed)) // the lock is released here, and on every early return
}
