//! What the coordinator needs of an engine.

use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use crate::clock::BootTime;
use crate::lock_name::LockName;

pub(crate) type Boxed<'a, T> = Pin<Box<dyn Future<Output = T> + Send + 'a>>;

/// The source of a failed request, shared between those who wait for it.
pub(crate) type Cause = Arc<dyn std::error::Error + Send + Sync>;

/// One acquire: the lock, and an id that no other acquire has, in any process.
#[derive(Clone, Debug)]
pub(crate) struct Claim {
    pub(crate) name: LockName,
    pub(crate) id: Arc<str>,
}

/// A lock that the engine has given away.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Grant {
    /// Higher for each later grant of the name.
    pub(crate) token: Option<u64>,
    /// The end of the lease, counted from before the request and less the margin. `None` if the
    /// hold ends only with the process.
    pub(crate) until: Option<BootTime>,
}

impl Grant {
    /// Returns `false` if its lease has ended, because the answer took so long to arrive.
    pub(crate) fn is_valid(&self) -> bool {
        self.until.is_none_or(|until| BootTime::now() < until)
    }
}

/// The answer to [`Engine::ask`].
#[derive(Clone, Copy, Debug)]
pub(crate) enum Answered {
    Granted(Grant),
    /// Another claim holds the lock.
    Held(Seen),
}

/// A note of an engine about a lock that was held, for its own [`Engine::wait`].
#[derive(Clone, Copy, Debug, Default)]
#[allow(dead_code, reason = "each engine uses a part")]
pub(crate) struct Seen {
    /// The time that is left to the holder, unless its lease is renewed.
    pub(crate) left: Option<Duration>,
    /// The state of the server that was seen.
    pub(crate) revision: i64,
    /// The number of requests of this acquire so far.
    pub(crate) tries: u32,
}

/// The end of [`Engine::wait`].
#[derive(Clone, Copy, Debug)]
pub(crate) enum Waited {
    /// The lock may be free.
    AskAgain,
    /// The engine queues its waiters, and this one's turn has come.
    Granted(Grant),
}

/// A request that brought no answer.
#[derive(Clone, Debug)]
pub(crate) struct RequestError {
    /// The server may have carried out the request, or may still do so.
    pub(crate) unclear: bool,
    /// The same request may succeed later.
    pub(crate) transient: bool,
    pub(crate) cause: Cause,
}

impl RequestError {
    /// An error for a request that did not reach the server, or was turned away for now.
    pub(crate) fn not_sent(error: impl std::error::Error + Send + Sync + 'static) -> Self {
        RequestError {
            unclear: false,
            transient: true,
            cause: Arc::new(error),
        }
    }

    /// An error for a request that the server may have carried out.
    #[allow(dead_code, reason = "for servers")]
    pub(crate) fn unclear(error: impl std::error::Error + Send + Sync + 'static) -> Self {
        RequestError {
            unclear: true,
            ..Self::not_sent(error)
        }
    }

    /// An error for a request that was refused, and would be again.
    pub(crate) fn refused(error: impl std::error::Error + Send + Sync + 'static) -> Self {
        RequestError {
            transient: false,
            ..Self::not_sent(error)
        }
    }
}

impl fmt::Display for RequestError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.cause.fmt(f)
    }
}

/// A failure to connect.
#[derive(Debug)]
pub(crate) enum ConnectError {
    /// The URL is wrong; connecting again is useless.
    Url(String),
    /// The server did not answer, or refused the connection.
    Unreachable { address: String, cause: Cause },
}

/// A server, or a directory, that keeps locks.
///
/// Every request ends within the engine's own limit, after which it is *unclear*. The coordinator
/// lets each run to its end; it drops only the futures of [`wait`](Engine::wait) and
/// [`lost`](Engine::lost).
pub(crate) trait Engine: Send + Sync + 'static {
    /// The name of the engine in logs.
    fn name(&self) -> &'static str;

    /// The time after which the engine frees a lock that is not renewed. `None` if it frees the
    /// lock when the process ends, and only then.
    fn lease(&self) -> Option<Duration>;

    /// The problem with a name that this engine cannot use.
    fn check_name(&self, name: &LockName) -> Result<(), &'static str>;

    /// Takes the lock if it is free. If this very claim holds it, because the answer to an earlier
    /// request was lost, the answer is the same grant again.
    fn ask<'a>(
        &'a self,
        claim: &'a Claim,
        asked: BootTime,
    ) -> Boxed<'a, Result<Answered, RequestError>>;

    /// Waits for a lock that was seen to be held. It may return at any time, and takes the lock only
    /// if it returns [`Waited::Granted`].
    fn wait<'a>(&'a self, claim: &'a Claim, seen: Seen) -> Boxed<'a, Waited>;

    /// Returns `true` if a wait may leave something of its claim at the server. The coordinator then
    /// releases the claim when its caller leaves.
    fn queues(&self) -> bool {
        false
    }

    /// Waits until locks are lost before their leases have ended, as when a connection that keeps
    /// them breaks. Returns the ids of their claims.
    fn lost<'a>(&'a self) -> Boxed<'a, Vec<Arc<str>>> {
        Box::pin(std::future::pending())
    }

    /// Frees the lock if this claim holds it; `false` if it does not.
    fn release<'a>(&'a self, claim: &'a Claim) -> Boxed<'a, Result<bool, RequestError>>;

    /// Renews the leases of these claims with as few requests as possible. The answer has an entry
    /// for each: the new end of its lease, or `None` if it does not hold the lock any more.
    fn renew<'a>(
        &'a self,
        claims: &'a [Claim],
        asked: BootTime,
    ) -> Boxed<'a, Result<Vec<Option<BootTime>>, RequestError>>;
}
