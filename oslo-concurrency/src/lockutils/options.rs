use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use super::guard::{Guard, Held, HeldExternal};
use super::interprocess::lock_file_path;
use super::lookup_cache::{self, Entries, Query};
use super::{Error, Semaphores, Synchronizer, config};
use crate::fork;
use crate::named::acquire::{Request, acquire_both};
use crate::named::lock_table::{self, ExternalEntry, InternalEntry};
use crate::named::long_wait::{LongWait, WARN_AFTER};
use crate::threads::current_thread;
use crate::wait::{Wait, WaitLimit};

/// Names a lock. Set its options, then [`acquire`](LockOptions::acquire) it, or
/// [`run`](LockOptions::run) a closure while it is held.
///
/// ```
/// use oslo_concurrency::lockutils;
/// use std::time::Duration;
///
/// let directory = tempfile::tempdir().unwrap();
/// let external = lockutils::lock("image-7").prefix("myapp").external(true);
/// let guard = external.lock_path(directory.path()).acquire()?;
/// drop(guard);
///
/// let n = lockutils::lock("image-7").timeout(Duration::from_secs(2)).run(|| 42)?;
/// assert_eq!(n, 42);
/// # Ok::<(), lockutils::Error>(())
/// ```
pub fn lock<'a, N: AsRef<str> + ?Sized>(name: &'a N) -> LockOptions<'a> {
    LockOptions {
        name: name.as_ref(),
        prefix: None,
        external: false,
        lock_path: None,
        semaphores: None,
        fair: false,
        blocking: true,
        timeout: None,
        log: true,
        warn_after: WARN_AFTER,
    }
}

/// [`lock`] for an application whose lock files share a prefix.
///
/// ```
/// use oslo_concurrency::lockutils;
///
/// let directory = tempfile::tempdir().unwrap();
/// let lock = lockutils::lock_with_prefix("myapp");
/// lock("db").external(true).lock_path(directory.path()).run(|| ())?;
/// assert!(directory.path().join("myapp-db").exists());
/// # Ok::<(), lockutils::Error>(())
/// ```
pub fn lock_with_prefix<'a>(prefix: &'a str) -> impl Fn(&'a str) -> LockOptions<'a> {
    move |name| lock(name).prefix(prefix)
}

/// Returns `true` if a subscriber is interested in each acquisition.
#[inline]
pub(super) fn is_logged() -> bool {
    // In this order: the subscriber may take a lock, which a forked child may have inherited
    // locked.
    fork::may_log() && tracing::enabled!(tracing::Level::DEBUG)
}

impl Synchronizer {
    /// Names a lock with this prefix; the same as [`lock`] with [`prefix`](LockOptions::prefix).
    pub fn lock<'a, N: AsRef<str> + ?Sized>(&self, name: &'a N) -> LockOptions<'a> {
        lock(name).with(self)
    }
}

/// Options for acquiring a named lock; created by [`lock`].
#[derive(Clone, Copy, Debug)]
#[must_use = "nothing is locked before `acquire` or `run`"]
pub struct LockOptions<'a> {
    pub(super) name: &'a str,
    prefix: Option<&'a str>,
    external: bool,
    lock_path: Option<&'a Path>,
    semaphores: Option<&'a Semaphores>,
    pub(super) fair: bool,
    blocking: bool,
    timeout: Option<Duration>,
    log: bool,
    pub(super) warn_after: Duration,
}

impl<'a> LockOptions<'a> {
    /// Puts `prefix` and `-` before the name of the lock file. A prefix that contains `/` names a
    /// directory and a prefix. The lock between threads has no prefix. This matches oslo.
    pub fn prefix(mut self, prefix: &'a str) -> Self {
        self.prefix = Some(prefix);
        self
    }

    /// Excludes other processes as well as other threads.
    pub fn external(mut self, external: bool) -> Self {
        self.external = external;
        self
    }

    /// The directory of the lock file. It overrides every other setting. An empty path counts as
    /// not set, as in oslo.
    pub fn lock_path<P: AsRef<Path> + ?Sized>(mut self, directory: &'a P) -> Self {
        self.lock_path = Some(directory.as_ref()).filter(|path| !path.as_os_str().is_empty());
        self
    }

    /// Takes the lock between threads from this container.
    pub fn semaphores(mut self, semaphores: &'a Semaphores) -> Self {
        self.semaphores = Some(semaphores);
        self
    }

    /// First come, first served. Between threads, this applies from now on to all users of the
    /// name. Between processes, it applies to those that set it, through a turnstile in front
    /// of the lock.
    pub fn fair(mut self, fair: bool) -> Self {
        self.fair = fair;
        self
    }

    /// If `true`, the default, waits for a lock that is held.
    pub fn blocking(mut self, blocking: bool) -> Self {
        self.blocking = blocking;
        self
    }

    /// Maximum time to wait. If `blocking` is `false`, the timeout has no effect.
    pub fn timeout(mut self, timeout: Duration) -> Self {
        self.timeout = Some(timeout);
        self
    }

    /// If `true`, the default, logs how long the caller waited for the lock and held it, at level
    /// debug.
    pub fn log(mut self, log: bool) -> Self {
        self.log = log;
        self
    }

    /// Time after which a wait is logged at level warn, together with the holder of the lock; again
    /// after twice that time, four times, and so on. The default is 60 seconds; `Duration::MAX`
    /// disables the warning.
    ///
    /// The event has the fields `lock`, `function`, `waited_seconds`, `file` and `held_by`. The
    /// last one names processes, with their command lines and how long they have been running, or
    /// the thread of this process. The kernel does not record when a lock was acquired. An
    /// acquisition that does not wait has no extra cost.
    ///
    /// ```
    /// use oslo_concurrency::lockutils;
    /// use std::time::Duration;
    ///
    /// lockutils::lock("image-7").warn_after(Duration::from_secs(5)).run(|| ())?;
    /// # Ok::<(), lockutils::Error>(())
    /// ```
    pub fn warn_after(mut self, warn_after: Duration) -> Self {
        self.warn_after = warn_after;
        self
    }

    /// Uses the prefix of `synchronizer`.
    pub fn with(mut self, synchronizer: &Synchronizer) -> Self {
        self.prefix = Some(synchronizer.prefix());
        self
    }

    /// Acquires the lock; it is released when the guard is dropped.
    ///
    /// # Errors
    /// Returns [`Error::NotAcquired`] if the lock is held and `blocking` is `false`,
    /// [`Error::Timeout`] if the timeout expires, and [`Error::WouldDeadlock`] if this thread holds
    /// the lock. For an external lock, also [`Error::LockPathRequired`], [`Error::InvalidName`],
    /// [`Error::TimerUnavailable`] and [`Error::Io`].
    pub fn acquire(&self) -> Result<Guard, Error> {
        let (internal, external) = self.entries()?;
        self.acquire_entries(internal, external, "")
    }

    /// The locks that these options name, perhaps from the cache.
    #[inline]
    pub(super) fn entries(&self) -> Result<Entries, Error> {
        if self.external {
            lookup_cache::external(self.query(), || self.look_up())
        } else {
            Ok((self.internal_entry(), None))
        }
    }

    /// Runs `section` while the lock is held.
    ///
    /// # Errors
    /// The same as [`acquire`](Self::acquire). If it fails, `section` has not run.
    pub fn run<T>(&self, section: impl FnOnce() -> T) -> Result<T, Error> {
        let _guard = self.acquire()?;
        Ok(section())
    }

    pub(super) fn query(&self) -> Query<'_> {
        Query {
            name: self.name,
            prefix: self.prefix,
            lock_path: self.lock_path,
            external: self.external,
            in_container: self.semaphores.is_some(),
        }
    }

    /// The locks that these options name at this moment.
    pub(super) fn look_up(&self) -> Result<Entries, Error> {
        let internal = self.internal_entry();
        let external = self.external_entry(&internal)?;
        Ok((internal, external))
    }

    #[inline]
    fn internal_entry(&self) -> Arc<InternalEntry> {
        self.semaphores.map_or_else(
            || lock_table::internal(self.name),
            |semaphores| semaphores.entry(self.name),
        )
    }

    fn external_entry(
        &self,
        internal: &Arc<InternalEntry>,
    ) -> Result<Option<Arc<ExternalEntry>>, Error> {
        if !self.external || config::process_locking_disabled() {
            return Ok(None);
        }
        let path = lock_file_path(self.name, self.prefix, self.lock_path)?;
        let shared = self.semaphores.is_none().then_some(internal);
        Ok(Some(lock_table::external(&path, shared)))
    }

    pub(super) fn wait(&self) -> Wait {
        match (self.blocking, self.timeout) {
            (false, _) => Wait::Never,
            (true, None) => Wait::Forever,
            (true, Some(timeout)) => Wait::at_most(timeout),
        }
    }

    /// The time, if the log should say how long the caller waited for the lock and held it.
    pub(super) fn asked(&self) -> Option<Instant> {
        (self.log && is_logged()).then(Instant::now)
    }

    pub(super) fn acquire_entries(
        &self,
        internal: Arc<InternalEntry>,
        external: Option<Arc<ExternalEntry>>,
        function: &'static str,
    ) -> Result<Guard, Error> {
        let wait = self.wait();
        let asked = self.asked();
        let warn = |waited| {
            let long_wait = LongWait {
                name: self.name.to_owned(),
                function,
                waiter: current_thread(),
                internal: Some(Arc::clone(&internal)),
                external: external.clone(),
            };
            long_wait.warn(waited, Duration::ZERO)
        };
        let mut limit = WaitLimit::with_warning(self.warn_after, &warn);
        match &external {
            None => {
                if self.fair {
                    internal.make_fair();
                }
                internal
                    .acquire_with_limit(wait, &mut limit)
                    .map_err(|failure| Error::not_acquired(self.name, failure))?;
            }
            Some(external) => {
                let held_here = |file| lock_table::this_thread_holds(file, external);
                let request = Request {
                    wait,
                    fair: self.fair,
                    held_here: lock_table::this_thread_holds_files().then_some(&held_here),
                };
                acquire_both(&internal, external, request, &mut limit)
                    .map_err(|failure| Error::on_file(self.name, failure))?;
            }
        }
        let external = external.map(|entry| HeldExternal {
            entry,
            fair: self.fair,
        });
        Ok(Guard::new(Held { external, internal }, function, asked))
    }
}
