use std::collections::BTreeSet;
use std::future::Future;
use std::ops::Deref;
use std::sync::Arc;
use std::time::Duration;

use crate::clock::BootTime;
use crate::lifecycle::Lifeline;
use crate::{AsyncGuard, Error, Guard, LockOptions};

/// Options for acquiring several named locks; created by
/// [`Coordinator::locks`](crate::Coordinator::locks).
///
/// They are acquired in the order of their names, each once, so that two callers that name the same
/// locks never wait for each other. If one of them fails, those before it are released.
#[derive(Clone, Debug)]
#[must_use = "nothing is locked before `acquire` or `run`"]
pub struct LocksOptions {
    life: Arc<Lifeline>,
    names: BTreeSet<Vec<u8>>,
    prefix: Option<String>,
    blocking: bool,
    timeout: Option<Duration>,
    warn_after: Option<Duration>,
}

impl LocksOptions {
    pub(crate) fn new(
        life: &Arc<Lifeline>,
        prefix: Option<&str>,
        names: BTreeSet<Vec<u8>>,
    ) -> Self {
        LocksOptions {
            life: Arc::clone(life),
            names,
            prefix: prefix.map(str::to_owned),
            blocking: true,
            timeout: None,
            warn_after: None,
        }
    }

    /// The same as [`LockOptions::prefix`].
    pub fn prefix(mut self, prefix: &str) -> Self {
        self.prefix = Some(prefix.to_owned());
        self
    }

    /// The same as [`LockOptions::blocking`].
    pub fn blocking(mut self, blocking: bool) -> Self {
        self.blocking = blocking;
        self
    }

    /// Maximum time to wait for all of them, as [`LockOptions::timeout`].
    pub fn timeout(mut self, timeout: Duration) -> Self {
        self.timeout = Some(timeout);
        self
    }

    /// The same as [`LockOptions::warn_after`].
    pub fn warn_after(mut self, warn_after: Duration) -> Self {
        self.warn_after = Some(warn_after);
        self
    }

    /// Acquires the locks; they are released when the guards are dropped.
    ///
    /// # Errors
    /// The same as [`LockOptions::acquire`], of the first lock that fails.
    pub fn acquire(&self) -> Result<Guards, Error> {
        let began = BootTime::now();
        let mut guards = Vec::with_capacity(self.names.len());
        for name in &self.names {
            guards.push(self.one(name, began).acquire()?);
        }
        Ok(Guards(guards))
    }

    /// Acquires the locks if all of them are free: [`acquire`](Self::acquire) with
    /// `blocking(false)`.
    ///
    /// # Errors
    /// The same as [`LockOptions::try_acquire`], of the first lock that fails.
    pub fn try_acquire(&self) -> Result<Guards, Error> {
        self.clone().blocking(false).acquire()
    }

    /// Runs `section` while the locks are held, as [`LockOptions::run`] does.
    ///
    /// # Errors
    /// The same as [`LockOptions::run`].
    pub fn run<T>(&self, section: impl FnOnce() -> T) -> Result<T, Error> {
        let guards = self.acquire()?;
        let value = section();
        guards.release()?;
        Ok(value)
    }

    /// Acquires the locks without blocking the thread, on any executor. Dropping the future is safe
    /// at any moment.
    ///
    /// # Errors
    /// The same as [`LockOptions::acquire_async`], of the first lock that fails.
    pub async fn acquire_async(self) -> Result<AsyncGuards, Error> {
        let began = BootTime::now();
        let mut guards = Vec::with_capacity(self.names.len());
        for name in &self.names {
            guards.push(self.one(name, began).acquire_async().await?);
        }
        Ok(AsyncGuards(guards))
    }

    /// Runs `section` while the locks are held, as [`LockOptions::run_async`] does.
    ///
    /// # Errors
    /// The same as [`LockOptions::run`].
    pub async fn run_async<F: Future>(
        self,
        section: impl FnOnce() -> F,
    ) -> Result<F::Output, Error> {
        let guards = self.acquire_async().await?;
        let value = section().await;
        guards.release().await?;
        Ok(value)
    }

    /// The options of one of the locks, with what is left of the time.
    fn one<'a>(&'a self, name: &'a [u8], began: BootTime) -> LockOptions<'a> {
        let lock = LockOptions::new(&self.life, self.prefix.as_deref(), name);
        let mut lock = lock.blocking(self.blocking);
        if let Some(timeout) = self.timeout {
            lock = lock.timeout(timeout.saturating_sub(BootTime::now().since(began)));
        }
        if let Some(warn_after) = self.warn_after {
            lock = lock.warn_after(warn_after);
        }
        lock
    }
}

macro_rules! guards {
    ($(#[$doc:meta])* $guards:ident of $guard:ident) => {
        $(#[$doc])*
        #[derive(Debug)]
        #[must_use = "the locks are released when the guards are dropped"]
        pub struct $guards(Vec<$guard>);

        impl $guards {
            /// Confirms that all locks are still held, without asking the server.
            ///
            /// # Errors
            /// Returns the error of the first that is not; see [`Hold::check`](crate::Hold::check).
            pub fn check(&self) -> Result<(), Error> {
                self.0.iter().try_for_each(|guard| guard.check())
            }

            /// Returns `true` if any of the locks may have another holder by now.
            pub fn lost(&self) -> bool {
                self.0.iter().any(|guard| guard.lost())
            }
        }

        /// The guards, in the order of the names.
        impl Deref for $guards {
            type Target = [$guard];
            fn deref(&self) -> &[$guard] {
                &self.0
            }
        }
    };
}

guards!(
    /// Several held locks. The guards are in the order of the names. Dropping them releases the
    /// locks, as dropping each [`Guard`] does.
    Guards of Guard
);

guards!(
    /// Several locks held by a task. The guards are in the order of the names. Dropping them
    /// releases the locks, as dropping each [`AsyncGuard`] does.
    AsyncGuards of AsyncGuard
);

impl Guards {
    /// Releases the locks and waits for the server's answers.
    ///
    /// # Errors
    /// Returns the first error; see [`Guard::release`]. All locks are released in any case.
    pub fn release(self) -> Result<(), Error> {
        let mut outcome = Ok(());
        for guard in self.0 {
            outcome = outcome.and(guard.release());
        }
        outcome
    }
}

impl AsyncGuards {
    /// Releases the locks and waits for the server's answers. The releases go on if the future is
    /// dropped.
    ///
    /// # Errors
    /// The same as [`Guards::release`].
    pub async fn release(self) -> Result<(), Error> {
        let mut outcome = Ok(());
        for guard in self.0 {
            outcome = outcome.and(guard.release().await);
        }
        outcome
    }
}
