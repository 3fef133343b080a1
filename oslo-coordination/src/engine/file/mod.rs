//! Locks in a directory of this host: the external locks of `oslo-concurrency`, at the paths of
//! tooz's `file` driver.

mod names;
mod tokens;

use std::collections::HashMap;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use oslo_concurrency::lockutils::{self, AsyncGuard, Semaphores};

use self::names::LockFile;
use self::tokens::Tokens;
use super::contract::{
    Answered, Boxed, Claim, ConnectError, Engine, Grant, RequestError, Seen, Waited,
};
use crate::clock::BootTime;
use crate::lock_name::LockName;
use crate::sync::{Mutex, lock};
use crate::url::{OptionNames, ServiceUrl};

const OPTIONS: OptionNames = OptionNames {
    used: &["tokens"],
    ignored: &["timeout", "lock_timeout", "membership_timeout"],
    refused: &[],
};

pub(super) struct FileEngine {
    directory: PathBuf,
    tokens: Option<Tokens>,
    held: Mutex<HashMap<Arc<str>, AsyncGuard>>,
    /// The locks between threads of each folder, apart from those of the rest of the program.
    semaphores: Mutex<HashMap<PathBuf, Arc<Semaphores>>>,
}

/// The directory that a path of a URL names. On Windows, `/C:/locks` is `C:/locks`.
fn directory(path: &str) -> PathBuf {
    let drive = path
        .strip_prefix('/')
        .filter(|path| path.get(1..2) == Some(":"));
    PathBuf::from(drive.filter(|_| cfg!(windows)).unwrap_or(path))
}

impl FileEngine {
    pub(super) fn open(url: &ServiceUrl) -> Result<Self, ConnectError> {
        url.check_options(OPTIONS).map_err(ConnectError::Url)?;
        if !url.endpoints.is_empty() {
            return Err(ConnectError::Url(format!(
                "{} is no directory; write file:///path with three slashes",
                url.shown()
            )));
        }
        let directory = directory(&url.path);
        if directory.parent().is_none() {
            let problem = "it names no directory; write file:///var/lib/myapp/locks";
            return Err(ConnectError::Url(problem.to_owned()));
        }
        let unreachable = |error: io::Error| ConnectError::Unreachable {
            address: url.path.clone(),
            cause: Arc::new(error),
        };
        std::fs::create_dir_all(&directory).map_err(unreachable)?;
        let tokens = match url.flag("tokens").map_err(ConnectError::Url)? {
            true => Some(Tokens::open(&directory).map_err(unreachable)?),
            false => None,
        };
        Ok(FileEngine {
            directory,
            tokens,
            held: Mutex::default(),
            semaphores: Mutex::default(),
        })
    }

    async fn lock(&self, claim: &Claim, blocking: bool) -> Result<Answered, lockutils::Error> {
        let file = LockFile::of(&self.directory, &claim.name).expect("the name was checked");
        let semaphores = self.semaphores(&file.folder);
        let options = lockutils::lock(&file.name)
            .external(true)
            .lock_path(&file.folder)
            .semaphores(&semaphores)
            .log(false)
            .warn_after(Duration::MAX)
            .blocking(blocking);
        let guard = match options.acquire_async().await {
            Err(lockutils::Error::NotAcquired { .. }) => {
                return Ok(Answered::Held(Seen::default()));
            }
            acquired => acquired?,
        };
        // Under the lock, so that no two holders read the same number.
        let token = match &self.tokens {
            None => None,
            Some(tokens) => Some(tokens.next(&file)?),
        };
        lock(&self.held).insert(Arc::clone(&claim.id), guard);
        Ok(Answered::Granted(Grant { token, until: None }))
    }

    fn semaphores(&self, folder: &Path) -> Arc<Semaphores> {
        let mut all = lock(&self.semaphores);
        if let Some(semaphores) = all.get(folder) {
            return Arc::clone(semaphores);
        }
        Arc::clone(all.entry(folder.to_owned()).or_default())
    }
}

impl Engine for FileEngine {
    fn name(&self) -> &'static str {
        "file"
    }

    fn lease(&self) -> Option<Duration> {
        None
    }

    fn check_name(&self, name: &LockName) -> Result<(), &'static str> {
        LockFile::of(&self.directory, name).map(drop)
    }

    fn ask<'a>(
        &'a self,
        claim: &'a Claim,
        _asked: BootTime,
    ) -> Boxed<'a, Result<Answered, RequestError>> {
        Box::pin(async move { self.lock(claim, false).await.map_err(RequestError::refused) })
    }

    fn wait<'a>(&'a self, claim: &'a Claim, _seen: Seen) -> Boxed<'a, Waited> {
        Box::pin(async move {
            match self.lock(claim, true).await {
                Ok(Answered::Granted(grant)) => Waited::Granted(grant),
                Ok(Answered::Held(_)) => Waited::AskAgain,
                Err(_) => {
                    // Asking again reports an error that stays.
                    crate::rt::sleep(Duration::from_millis(50)).await;
                    Waited::AskAgain
                }
            }
        })
    }

    fn release<'a>(&'a self, claim: &'a Claim) -> Boxed<'a, Result<bool, RequestError>> {
        let guard = lock(&self.held).remove(&claim.id);
        Box::pin(std::future::ready(Ok(guard.is_some())))
    }

    fn renew<'a>(
        &'a self,
        claims: &'a [Claim],
        _asked: BootTime,
    ) -> Boxed<'a, Result<Vec<Option<BootTime>>, RequestError>> {
        // Without leases nothing is renewed.
        Box::pin(std::future::ready(Ok(vec![None; claims.len()])))
    }
}
