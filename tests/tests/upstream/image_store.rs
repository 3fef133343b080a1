use oslo_concurrency::lockutils::{self, Error, Synchronizer};
use std::{fs, io, path::Path};

static IMAGES: Synchronizer = lockutils::synchronized_with_prefix("images");

/// Adds an image, seen whole or not at all.
#[lockutils::synchronized("cache", external, with = IMAGES)]
pub fn store(directory: &Path, name: &str, data: &[u8]) -> Result<(), Failure> {
    let part = directory.join(format!("{name}.part"));
    fs::write(&part, data)?;
    Ok(fs::rename(part, directory.join(name))?)
}

/// Removes all images, unless somebody is busy with them.
pub fn clean(directory: &Path) -> Result<Option<usize>, Failure> {
    let _guard = match IMAGES
        .lock("cache")
        .external(true)
        .blocking(false)
        .acquire()
    {
        Err(Error::NotAcquired { .. }) => return Ok(None),
        guard => guard?,
    };
    let mut removed = 0;
    for image in fs::read_dir(directory)? {
        fs::remove_file(image?.path())?;
        removed += 1;
    }
    Ok(Some(removed)) // the lock is released here, and on every way out
}

#[derive(Debug)]
pub enum Failure {
    Lock(Error),
    Files(io::Error),
}

impl From<Error> for Failure {
    fn from(error: Error) -> Self {
        Failure::Lock(error)
    }
}

impl From<io::Error> for Failure {
    fn from(error: io::Error) -> Self {
        Failure::Files(error)
    }
}
