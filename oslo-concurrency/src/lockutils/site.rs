//! The lock of one synchronized function, remembered from call to call.

use std::marker::PhantomData;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use super::guard::{Finally, Guard, HeldSince, log_acquired};
use super::options::is_logged;
use super::resolved::{Question, depends_on_more};
use super::{Error, LockOptions};
use crate::alarms::Alarm;
use crate::fork::{self, PerProcess};
use crate::named::lock_table::{self, ExternalEntry, InternalEntry};
use crate::named::long_wait::{LongWait, WARN_AFTER};
use crate::observe;
use crate::threads::current_thread;
use crate::wait::{Patience, Wait};

/// One `#[synchronized]` function.
#[derive(Debug)]
pub struct Site {
    name: &'static str,
    function: &'static str,
    internal: PerProcess<Arc<InternalEntry>>,
    resolved: PerProcess<Mutex<Option<Resolved>>>,
}

/// What the options of the last call led to.
#[derive(Debug)]
struct Resolved {
    question: Question,
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
    /// If this thread holds it already: it would wait for itself forever.
    #[inline]
    #[track_caller]
    pub fn enter(&'static self) -> SiteGuard {
        let lock = self
            .internal
            .get_or_make(|| lock_table::internal(self.name));
        let asked = is_logged().then(Instant::now);
        let warn = |waited| self.warn_of_long_wait(lock, waited);
        let mut patience = Patience::new(WARN_AFTER, &warn);
        if let Err(missed) = lock.acquire_patiently(Wait::Forever, &mut patience) {
            panic!("{}: {}", self.function, Error::missed(self.name, missed));
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
    /// As [`LockOptions::acquire`].
    pub fn acquire(&'static self, options: LockOptions<'_>) -> Result<Guard, Error> {
        let (internal, external) = self.resolve(&options)?;
        options.acquire_entries(internal, external, self.function)
    }

    /// Panics, since the lock failed, and the function cannot say so otherwise.
    #[cold]
    #[track_caller]
    pub fn panic(&'static self, error: Error) -> ! {
        panic!("{}: {error}", self.function)
    }

    fn resolve(
        &'static self,
        options: &LockOptions<'_>,
    ) -> Result<(Arc<InternalEntry>, Option<Arc<ExternalEntry>>), Error> {
        if depends_on_more(options) {
            return options.look_up();
        }
        let mut resolved = self
            .resolved
            .get_or_make(Mutex::default)
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        if let Some(resolved) = &*resolved {
            if resolved.question.is_of(options) {
                return Ok((Arc::clone(&resolved.internal), resolved.external.clone()));
            }
        }
        let question = Question::of(options);
        let (internal, external) = options.look_up()?;
        *resolved = Some(Resolved {
            question,
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
    /// A run that has not begun.
    #[expect(clippy::new_without_default, reason = "no two are alike")]
    pub fn new() -> Self {
        Section {
            owner: crate::threads::new_task(),
        }
    }

    /// Acquires the lock that `options` describe.
    ///
    /// # Errors
    /// As [`LockOptions::acquire_async`].
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

    /// The body of the function, which asks in vain for its own lock.
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
        let release = Finally(|| self.lock.release());
        observe::releasing(|| self.lock.key().into());
        drop(release);
        if let Some(since) = &self.log {
            since.log_released(self.lock.key(), false);
        }
    }
}
