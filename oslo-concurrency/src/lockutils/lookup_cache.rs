//! A cache of the locks of the last call, for the next call with the same options.

use std::cell::RefCell;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Weak};

use super::{Error, config, scope};
use crate::fork;
use crate::named::lock_table::{ExternalEntry, InternalEntry};

/// A lock between threads, and the lock on the file if there is one.
pub(crate) type Entries = (Arc<InternalEntry>, Option<Arc<ExternalEntry>>);

/// The options that determine the locks of a call.
#[derive(Clone, Copy, Debug)]
pub(super) struct Query<'a> {
    pub(super) name: &'a str,
    pub(super) prefix: Option<&'a str>,
    pub(super) lock_path: Option<&'a Path>,
    pub(super) external: bool,
    /// Set if the lock between threads comes from a container of the caller.
    pub(super) in_container: bool,
}

impl Query<'_> {
    /// Returns `true` if the locks depend on more than a [`Key`]: on a scope of this thread, or on
    /// a container.
    #[inline]
    pub(super) fn depends_on_more(&self) -> bool {
        self.in_container || self.lock_path.is_none() && scope::current(|path| path.is_some())
    }
}

/// A query and the configuration of its time.
#[derive(Debug)]
pub(super) struct Key {
    name: String,
    prefix: Option<String>,
    lock_path: Option<PathBuf>,
    external: bool,
    config_epoch: u64,
}

impl Key {
    pub(super) fn of(query: Query<'_>) -> Self {
        Key {
            name: query.name.to_owned(),
            prefix: query.prefix.map(str::to_owned),
            lock_path: query.lock_path.map(PathBuf::from),
            external: query.external,
            config_epoch: config::epoch(),
        }
    }

    /// Returns `true` if `query` leads to the same locks at this moment.
    #[inline]
    pub(super) fn matches(&self, query: &Query<'_>) -> bool {
        self.external == query.external
            && self.name == query.name
            && self.prefix.as_deref() == query.prefix
            && self.lock_path.as_ref().map(|path| path.as_os_str())
                == query.lock_path.map(Path::as_os_str)
            && self.config_epoch == config::epoch()
    }
}

struct Last {
    key: Key,
    generation: u64,
    internal: Weak<InternalEntry>,
    external: Weak<ExternalEntry>,
}

thread_local!(static LAST: RefCell<Option<Last>> = const { RefCell::new(None) });

/// The locks of an external call. Calls `look_up` only if the thread's last query was another one.
/// Does not keep the name in use.
pub(super) fn external(
    query: Query<'_>,
    look_up: impl FnOnce() -> Result<Entries, Error>,
) -> Result<Entries, Error> {
    if query.depends_on_more() {
        return look_up();
    }
    // Nothing is kept while the thread's values are being destroyed.
    let kept = LAST.try_with(|last| {
        let last = last.borrow();
        let last = last
            .as_ref()
            .filter(|last| last.generation == fork::generation() && last.key.matches(&query))?;
        Some((last.internal.upgrade()?, last.external.upgrade()?))
    });
    if let Ok(Some((internal, external))) = kept {
        return Ok((internal, Some(external)));
    }
    let key = Key::of(query);
    let (internal, external) = look_up()?;
    if let Some(external) = &external {
        let last = Last {
            key,
            generation: fork::generation(),
            internal: Arc::downgrade(&internal),
            external: Arc::downgrade(external),
        };
        let _ = LAST.try_with(|place| place.replace(Some(last)));
    }
    Ok((internal, external))
}
