use std::future::Future;
use std::sync::Arc;
use std::thread;
use std::time::Duration;

use crate::clock::BootTime;
use crate::lifecycle::{Lifeline, Request, Wait};
use crate::lock_name::LockName;
use crate::{AsyncGuard, Error, Guard};

/// Time after which a wait is logged.
const WARN_AFTER: Duration = Duration::from_secs(60);

/// Options for acquiring a named lock; created by [`Coordinator::lock`](crate::Coordinator::lock).
#[derive(Clone, Copy, Debug)]
#[must_use = "nothing is locked before `acquire` or `run`"]
pub struct LockOptions<'a> {
    life: &'a Arc<Lifeline>,
    name: &'a [u8],
    prefix: Option<&'a str>,
    blocking: bool,
    timeout: Option<Duration>,
    warn_after: Duration,
}

impl<'a> LockOptions<'a> {
    pub(crate) fn new(life: &'a Arc<Lifeline>, prefix: Option<&'a str>, name: &'a [u8]) -> Self {
        LockOptions {
            life,
            name,
            prefix,
            blocking: true,
            timeout: None,
            warn_after: WARN_AFTER,
        }
    }

    /// Puts `prefix` and `-` before the name, or only `prefix` if it ends in `-`. It replaces the
    /// coordinator's; an empty one removes it.
    pub fn prefix(mut self, prefix: &'a str) -> Self {
        self.prefix = Some(prefix);
        self
    }

    /// If `true`, the default, waits for a lock that is held.
    pub fn blocking(mut self, blocking: bool) -> Self {
        self.blocking = blocking;
        self
    }

    /// Maximum time to wait, for the lock and for a server that does not answer. If `blocking` is
    /// `false`, the timeout has no effect.
    pub fn timeout(mut self, timeout: Duration) -> Self {
        self.timeout = Some(timeout);
        self
    }

    /// Time after which a wait is logged at level warn; again after twice that time, four times,
    /// and so on. The default is 60 seconds; `Duration::MAX` disables the warning.
    pub fn warn_after(mut self, warn_after: Duration) -> Self {
        self.warn_after = warn_after;
        self
    }

    /// Acquires the lock; it is released when the guard is dropped.
    ///
    /// # Errors
    /// Returns [`Error::NotAcquired`] if the lock is held and `blocking` is `false`,
    /// [`Error::Timeout`] if the timeout expires, [`Error::WouldDeadlock`] if this thread holds the
    /// lock, [`Error::Unavailable`] if the server does not answer within the timeout, and
    /// [`Error::Refused`], [`Error::InvalidName`], [`Error::Forked`] and [`Error::Stopped`].
    pub fn acquire(&self) -> Result<Guard, Error> {
        let request = self.request()?;
        let name = request.name.clone();
        let thread = thread::current().id();
        if self.life.is_held_by(&name, thread) {
            let name = name.text();
            return Err(match self.blocking {
                true => Error::WouldDeadlock { name },
                false => Error::NotAcquired { name },
            });
        }
        let request = Request {
            thread: Some(thread),
            ..request
        };
        match self.life.acquire(request).wait() {
            Some(Ok(ownership)) => Ok(Guard::new(ownership)),
            Some(Err(failure)) => Err(Error::acquire(&name.text(), failure)),
            None => Err(Error::stopped()),
        }
    }

    /// Acquires the lock if it is free: [`acquire`](Self::acquire) with `blocking(false)`.
    ///
    /// # Errors
    /// The same as [`acquire`](Self::acquire), but never [`Error::Timeout`].
    pub fn try_acquire(&self) -> Result<Guard, Error> {
        self.blocking(false).acquire()
    }

    /// Runs `section` while the lock is held. The server has freed the lock when this returns.
    ///
    /// # Errors
    /// The same as [`acquire`](Self::acquire); `section` has not run. Or, if it has, those of
    /// [`Guard::release`]: [`Error::Lost`] if another holder may have run its section too.
    pub fn run<T>(&self, section: impl FnOnce() -> T) -> Result<T, Error> {
        let guard = self.acquire()?;
        let value = section();
        guard.release()?;
        Ok(value)
    }

    /// Acquires the lock without blocking the thread, on any executor.
    ///
    /// Dropping the future is safe at any moment: a request that is under way goes on, and what it
    /// was granted is given back.
    ///
    /// A task that waits for a lock whose guard it has waits forever, or until its timeout.
    ///
    /// # Errors
    /// The same as [`acquire`](Self::acquire), but never [`Error::WouldDeadlock`].
    pub async fn acquire_async(self) -> Result<AsyncGuard, Error> {
        let request = self.request()?;
        let name = request.name.clone();
        match self.life.acquire(request).await {
            Some(Ok(ownership)) => Ok(AsyncGuard::new(ownership)),
            Some(Err(failure)) => Err(Error::acquire(&name.text(), failure)),
            None => Err(Error::stopped()),
        }
    }

    /// Runs `section` while the lock is held. When cancelled, it drops the section before it
    /// releases the lock.
    ///
    /// # Errors
    /// The same as [`run`](Self::run).
    pub async fn run_async<F: Future>(
        self,
        section: impl FnOnce() -> F,
    ) -> Result<F::Output, Error> {
        let guard = self.acquire_async().await?;
        let value = section().await;
        guard.release().await?;
        Ok(value)
    }

    fn request(&self) -> Result<Request, Error> {
        let name = LockName::new(self.prefix, self.name);
        if self.life.is_inherited() {
            return Err(Error::Forked { name: name.text() });
        }
        if let Err(problem) = self.life.check_name(&name) {
            return Err(Error::InvalidName {
                name: name.text(),
                engine: self.life.engine_name(),
                problem,
            });
        }
        let asked = BootTime::now();
        Ok(Request {
            name,
            wait: match (self.blocking, self.timeout) {
                (false, _) => Wait::Never,
                (true, None) => Wait::Forever,
                (true, Some(timeout)) => Wait::Until(asked + timeout),
            },
            warn_after: self.warn_after,
            thread: None,
            asked,
        })
    }
}
