use std::hash::{BuildHasher, RandomState};
use std::path::Path;
use std::sync::Arc;
use std::thread;
use std::time::Duration;

use oslo_concurrency::__private::ini_option;

use crate::clock::BootTime;
use crate::engine::{self, ConnectError, Engine};
use crate::lifecycle::{Core, Either, Lifeline, Receiver, race, reply};
use crate::rt::{self, Tasks};
use crate::url::ServiceUrl;
use crate::{Error, LockOptions, LocksOptions, Promises};

/// A connection to a service that keeps locks. Clones share it.
///
/// A thread of its own makes all requests and renews the leases of the locks that are held. It ends
/// when the last clone and the last guard are dropped and the server has answered their releases.
///
/// ```
/// use oslo_coordination::Coordinator;
///
/// let directory = tempfile::tempdir().unwrap();
/// let url = format!("file://{}?tokens=true", directory.path().display());
/// let coordinator = Coordinator::connect(&url)?;
/// let guard = coordinator.lock("image-7").prefix("myapp").acquire()?;
/// assert_eq!(guard.token(), Some(1));
/// guard.check()?;
/// # Ok::<(), oslo_coordination::Error>(())
/// ```
#[derive(Clone, Debug)]
pub struct Coordinator {
    life: Arc<Lifeline>,
    promises: Promises,
    prefix: Option<Arc<str>>,
}

impl Coordinator {
    /// Connects to the service of the URL.
    ///
    /// # Errors
    /// Returns [`Error::InvalidUrl`], and [`Error::Unreachable`] at once if the service does not
    /// answer.
    pub fn connect(url: &str) -> Result<Self, Error> {
        start(url, Duration::ZERO)?
            .wait()
            .unwrap_or_else(|| Err(Error::stopped()))
    }

    /// Connects, and waits for a service that does not answer for at most this time.
    ///
    /// # Errors
    /// The same as [`connect`](Self::connect).
    pub fn connect_within(url: &str, limit: Duration) -> Result<Self, Error> {
        start(url, limit)?
            .wait()
            .unwrap_or_else(|| Err(Error::stopped()))
    }

    /// Connects without blocking the thread, on any executor.
    ///
    /// # Errors
    /// The same as [`connect`](Self::connect).
    pub async fn connect_async(url: &str) -> Result<Self, Error> {
        start(url, Duration::ZERO)?
            .await
            .unwrap_or_else(|| Err(Error::stopped()))
    }

    /// Connects to the service that the environment variable `OSLO_COORDINATION_URL` names.
    ///
    /// # Errors
    /// Returns [`Error::UrlRequired`] if it is not set, and the same as [`connect`](Self::connect).
    pub fn from_env() -> Result<Self, Error> {
        let url = std::env::var("OSLO_COORDINATION_URL").ok();
        match url.filter(|url| !url.is_empty()) {
            Some(url) => Self::connect(&url),
            None => Err(Error::UrlRequired),
        }
    }

    /// Connects to the service that `backend_url` names in the section `[coordination]` of a
    /// service's configuration file, such as cinder.conf. The file is read as
    /// [`lockutils::configure_from_ini`](oslo_concurrency::lockutils::configure_from_ini) reads it.
    ///
    /// # Errors
    /// Returns [`Error::Configuration`] if the file cannot be used, [`Error::UrlRequired`] if it
    /// has no `backend_url`, and the same as [`connect`](Self::connect).
    pub fn from_ini(path: impl AsRef<Path>) -> Result<Self, Error> {
        let url = ini_option(path.as_ref(), "coordination", "backend_url")?;
        match url.filter(|url| !url.is_empty()) {
            Some(url) => Self::connect(&url),
            None => Err(Error::UrlRequired),
        }
    }

    /// Names a lock. Set its options, then acquire it, or run a closure while it is held.
    pub fn lock<'a, N: AsRef<[u8]> + ?Sized>(&'a self, name: &'a N) -> LockOptions<'a> {
        LockOptions::new(&self.life, self.prefix.as_deref(), name.as_ref())
    }

    /// Names several locks, which are acquired together.
    ///
    /// ```
    /// use oslo_coordination::Coordinator;
    ///
    /// # let directory = tempfile::tempdir().unwrap();
    /// # let url = format!("file://{}", directory.path().display());
    /// let coordinator = Coordinator::connect(&url)?;
    /// let guards = coordinator.locks(["volume-7", "image-3", "volume-7"]).acquire()?;
    /// let names: Vec<_> = guards.iter().map(|guard| guard.name()).collect();
    /// assert_eq!(names, [&b"image-3"[..], b"volume-7"]);
    /// # Ok::<(), oslo_coordination::Error>(())
    /// ```
    pub fn locks<N: AsRef<[u8]>>(&self, names: impl IntoIterator<Item = N>) -> LocksOptions {
        let names = names.into_iter().map(|name| name.as_ref().to_vec());
        LocksOptions::new(&self.life, self.prefix.as_deref(), names.collect())
    }

    /// The same coordinator with a prefix for the names of an application's locks, as
    /// [`LockOptions::prefix`].
    ///
    /// ```
    /// # let directory = tempfile::tempdir().unwrap();
    /// # let url = format!("file://{}", directory.path().display());
    /// let cinder = oslo_coordination::Coordinator::connect(&url)?.with_prefix("cinder");
    /// assert_eq!(cinder.lock("volume-7").acquire()?.name(), b"cinder-volume-7");
    /// # Ok::<(), oslo_coordination::Error>(())
    /// ```
    pub fn with_prefix(&self, prefix: &str) -> Self {
        Coordinator {
            prefix: Some(prefix.into()),
            ..self.clone()
        }
    }

    /// Returns `true` in a forked child.
    pub(crate) fn is_inherited(&self) -> bool {
        self.life.is_inherited()
    }

    /// What the service promises about its locks.
    pub fn promises(&self) -> Promises {
        self.promises
    }

    /// Waits until every lock whose guard was dropped is released at the server, for at most
    /// `limit`. Returns `true` if all are, and no request is under way.
    ///
    /// A program that drops a guard and ends at once may leave the lock to its lease. This, or
    /// [`Guard::release`](crate::Guard::release), avoids it.
    pub fn flush(&self, limit: Duration) -> bool {
        if self.life.is_inherited() {
            return false;
        }
        let (sender, receiver) = reply();
        let core = Arc::clone(self.life.core());
        self.life.core().spawner().spawn(async move {
            let end = BootTime::now() + limit;
            let idle = loop {
                let left = end.since(BootTime::now());
                match race(core.until_idle(), rt::sleep(left)).await {
                    Either::First(()) => break true,
                    Either::Second(()) if BootTime::now() >= end => break false,
                    Either::Second(()) => {}
                }
            };
            let _ = sender.send(idle);
        });
        receiver.wait().unwrap_or(false)
    }
}

/// Starts the thread, which connects and then serves.
fn start(url: &str, limit: Duration) -> Result<Receiver<Result<Coordinator, Error>>, Error> {
    let parsed = ServiceUrl::parse(url).map_err(|problem| Error::invalid_url(url, problem))?;
    let (sender, receiver) = reply();
    let serve = move || {
        let tasks = match Tasks::new() {
            Ok(tasks) => tasks,
            Err(error) => return drop(sender.send(Err(Error::no_thread(error)))),
        };
        let spawner = tasks.spawner();
        tasks.run(async move {
            let engine = match connect(&parsed, limit).await {
                Ok(engine) => engine,
                Err(error) => {
                    let _ = sender.send(Err(Error::connect(&parsed.shown(), error)));
                    return;
                }
            };
            let promises = match Promises::of_service(&parsed) {
                Ok(promises) => promises,
                Err(error) => return drop(sender.send(Err(error))),
            };
            let core = Core::new(engine, spawner, member());
            let life = Lifeline::new(Arc::clone(&core));
            // A caller that is gone drops the lifeline, and this ends.
            drop(sender.send(Ok(Coordinator {
                life,
                promises,
                prefix: None,
            })));
            core.run().await;
        });
    };
    thread::Builder::new()
        .name("oslo-coordination".to_owned())
        .spawn(serve)
        .map_err(Error::no_thread)?;
    Ok(receiver)
}

async fn connect(url: &ServiceUrl, limit: Duration) -> Result<Box<dyn Engine>, ConnectError> {
    let end = BootTime::now() + limit;
    loop {
        match engine::connect(url).await {
            Err(ConnectError::Unreachable { .. }) if BootTime::now() < end => {
                rt::sleep(Duration::from_millis(100)).await;
            }
            outcome => return outcome,
        }
    }
}

/// An id that no other coordinator has: 128 bits from the operating system's random numbers, which
/// seed every `RandomState`.
fn member() -> String {
    let part = |number: u8| RandomState::new().hash_one((std::process::id(), number));
    format!("{:016x}{:016x}", part(0), part(1))
}
