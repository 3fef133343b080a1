//! The lock of one synchronized function, kept from call to call.

use std::marker::PhantomData;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use super::guard::{Guard, HeldSince, OnDrop, log_acquired};
use super::lookup_cache::{Entries, Key};
use super::options::is_logged;
use super::{Error, LockOptions};
use crate::alarms::Alarm;
use crate::fork::{self, PerProcess};
use crate::named::lock_table::{self, ExternalEntry, InternalEntry};
use crate::named::long_wait::{LongWait, WARN_AFTER};
use crate::observe;
use crate::threads::current_thread;
use crate::wait::{Wait, WaitLimit};

/// One `#[synchronized]` function.
#[derive(Debug)]
pub struct Site {
    name: &'static str,
    function: &'static str,
    internal: PerProcess<Arc<InternalEntry>>,
    resolved: PerProcess<Mutex<Option<Resolved>>>,
}

/// The locks of the last call.
#[derive(Debug)]
struct Resolved {
    key: Key,
    internal: Arc<InternalEntry>,
    external: Option<Arc<ExternalEntry>>,
}

/// The lock of a [`Site::named`] while its function runs. The site keeps the lock alive.
#[derive(Debug)]
#[must_use]
pub struct SiteGuard {
    lock: &'static InternalEntry,
    generation: u64,
    log: Option<HeldSince>,
    _on_this_thread: PhantomData<*const ()>,
}

impl Site {
    /// A lock between threads with a fixed name.
    pub const fn named(name: &'static str, function: &'static str) -> Self {
        Site {
            name,
            function,
            internal: PerProcess::new(),
            resolved: PerProcess::new(),
        }
    }

    /// A lock whose options come with each call.
    pub const fn new(function: &'static str) -> Self {
        Site::named("", function)
    }

    /// Acquires the lock of a [`Site::named`].
    ///
    /// # Panics
    /// This thread holds it already and would wait for itself forever.
    #[inline]
    #[track_caller]
    pub fn enter(&'static self) -> SiteGuard {
        let lock = self
            .internal
            .get_or_make(|| lock_table::internal(self.name));
        let asked = is_logged().then(Instant::now);
        let warn = |waited| self.warn_of_long_wait(lock, waited);
        let mut limit = WaitLimit::with_warning(WARN_AFTER, &warn);
        if let Err(failure) = lock.acquire_with_limit(Wait::Forever, &mut limit) {
            panic!(
                "{}: {}",
                self.function,
                Error::not_acquired(self.name, failure)
            );
        }
        let mut guard = SiteGuard {
            lock,
            generation: fork::generation(),
            log: None,
            _on_this_thread: PhantomData,
        };
        observe::acquired(|| self.name.into());
        guard.log = asked.map(|asked| log_acquired(self.name, self.function, asked, false));
        guard
    }

    #[cold]
    fn warn_of_long_wait(&self, lock: &Arc<InternalEntry>, waited: Duration) -> Option<Alarm> {
        let long_wait = LongWait {
            name: self.name.to_owned(),
            function: self.function,
            waiter: current_thread(),
            internal: Some(Arc::clone(lock)),
            external: None,
        };
        long_wait.warn(waited, Duration::ZERO)
    }

    /// Acquires the lock that `options` describe.
    ///
    /// # Errors
    /// The same as [`LockOptions::acquire`].
    pub fn acquire(&'static self, options: LockOptions<'_>) -> Result<Guard, Error> {
        let (internal, external) = self.resolve(&options)?;
        options.acquire_entries(internal, external, self.function)
    }

    /// Panics because the lock failed and the function has no other way to report it.
    #[cold]
    #[track_caller]
    pub fn panic(&'static self, error: Error) -> ! {
        panic!("{}: {error}", self.function)
    }

    fn resolve(&'static self, options: &LockOptions<'_>) -> Result<Entries, Error> {
        let query = options.query();
        if query.depends_on_more() {
            return options.look_up();
        }
        let mut resolved = self
            .resolved
            .get_or_make(Mutex::default)
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        if let Some(resolved) = &*resolved {
            if resolved.key.matches(&query) {
                return Ok((Arc::clone(&resolved.internal), resolved.external.clone()));
            }
        }
        let key = Key::of(query);
        let (internal, external) = options.look_up()?;
        *resolved = Some(Resolved {
            key,
            internal: Arc::clone(&internal),
            external: external.clone(),
        });
        Ok((internal, external))
    }
}

/// One run of a synchronized `async fn`.
#[cfg(feature = "tokio")]
#[derive(Clone, Copy, Debug)]
pub struct Section {
    owner: u64,
}

#[cfg(feature = "tokio")]
impl Section {
    /// A run that has not started.
    #[expect(clippy::new_without_default, reason = "no two are alike")]
    pub fn new() -> Self {
        Section {
            owner: crate::threads::new_task(),
        }
    }

    /// Acquires the lock that `options` describe.
    ///
    /// # Errors
    /// The same as [`LockOptions::acquire_async`].
    pub async fn acquire(
        self,
        site: &'static Site,
        options: LockOptions<'_>,
    ) -> Result<super::AsyncGuard, Error> {
        let (internal, external) = site.resolve(&options)?;
        options
            .acquire_entries_async(internal, external, site.function, self.owner)
            .await
    }

    /// Runs the body of the function, in which a request for its own lock fails.
    pub fn within<F: Future>(self, body: F) -> crate::threads::section::Within<F> {
        crate::threads::section::within(self.owner, body)
    }
}

impl Drop for SiteGuard {
    #[inline]
    fn drop(&mut self) {
        if self.generation != fork::generation() {
            return;
        }
        let release = OnDrop(|| self.lock.release());
        observe::releasing(|| self.lock.key().into());
        drop(release);
        if let Some(since) = &self.log {
            since.log_released(self.lock.key(), false);
        }
    }
}
