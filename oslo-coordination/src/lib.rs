//! Named locks between hosts, through a service that already runs: etcd, ZooKeeper, PostgreSQL,
//! Redis, or a directory on one host. URLs and keys are those of OpenStack's [tooz] 9.1, so that a
//! Rust and a Python process that name the same lock on the same service exclude each other.
//!
//! ```
//! use std::time::Duration;
//!
//! use oslo_coordination::Coordinator;
//!
//! # let directory = tempfile::tempdir().unwrap();
//! # let url = format!("file://{}?tokens=true", directory.path().display());
//! // For example redis://10.0.0.1:6379?lock_timeout=10
//! let coordinator = Coordinator::connect(&url)?;
//! let guard = coordinator.lock("image-7").timeout(Duration::from_secs(2)).acquire()?;
//! // storage.put(key, data, guard.token())?;
//! guard.check()?;
//! drop(guard);
//! # Ok::<(), oslo_coordination::Error>(())
//! ```
//!
//! # What a lock of a server can promise
//!
//! A server frees a lock whose holder it does not hear for the length of the *lease*. A holder that
//! is stopped for longer, or cut off from the server, therefore loses its lock, possibly in the
//! middle of the critical section. Two things help:
//!
//! * **The guard knows.** [`lost`](Hold::lost) is `true` before the server can give the lock to
//!   another holder, even if no message arrives; [`until_lost`](Hold::until_lost) and
//!   [`on_lost`](Hold::on_lost) tell about it.
//! * **The storage can refuse.** Each holder has a [`token`](Hold::token) that is higher than those
//!   before it. A storage that refuses a write with a token lower than one it has seen cannot be
//!   damaged by a holder that was stopped between a check and its write. Nothing else helps there.
//!
//! | URL | lock | token | freed at death | cannot promise |
//! |---|---|---|---|---|
//! | `file:///DIRECTORY` | an external lock of `oslo-concurrency` | with `tokens=true` | at once | other hosts |
//! | `etcd3+http://HOST:PORT,HOST:PORT`, `etcd3+https://` | a key with a lease | always | with the lease | safety of a holder that was stopped beyond the lease, unless its writes carry the token |
//! | `postgresql://USER@HOST:PORT/DATABASE` | an advisory lock of a session | unless `tokens=false` | when the connection ends, or with the lease | the same, and any safety after a failover |
//! | `redis://HOST:PORT`, `rediss://` | a key with a lease | always | with the lease | the same, and any safety with a server that loses its data or fails over |
//! | `zookeeper://HOST:PORT,HOST:PORT`, `kazoo://` | a node of a session | always | with the session | the same as etcd |
//!
//! With ZooKeeper, the lease is two thirds of the session's `timeout`: that much its servers keep
//! even while they disagree. Each name leaves an empty node behind, as with tooz.
//!
//! With PostgreSQL, a lock ends with the connection that keeps it, and the guard knows at once. The
//! server must be version 14 or later, and no pooler may be between. Locks are numbers there: two
//! names may have the same one, which delays but never breaks a lock. With `tooz=1` the numbers are
//! those of tooz, which has only 65,536.
//!
//! With Redis, a release is announced on a channel, to which acquires that wait listen over a second
//! connection of the coordinator. Where no message comes, as after a release by tooz, they notice it
//! within 50 ms.
//!
//! [`Promises`] has this table as data, and `cargo lockutils promises URL` prints it and tries what
//! can be tried.
//!
//! Group membership and leader election are not part of this crate.
//!
//! # Functions under a lock
//!
//! [`#[synchronized]`](macro@synchronized) runs a function, synchronous or `async`, under locks
//! whose names are formatted from its arguments. Several locks are acquired in sorted order.
//!
//! ```
//! use oslo_coordination::{Coordinator, Error, synchronized};
//!
//! struct Volume {
//!     id: u32,
//! }
//!
//! #[synchronized("{volume.id}-{f_name}", "{snapshot}", with = coordinator, guard = locks)]
//! fn delete(coordinator: &Coordinator, volume: &Volume, snapshot: &str) -> Result<usize, Error> {
//!     // storage.delete(volume, locks[0].token())?;
//!     locks.check()?;
//!     Ok(locks.len())
//! }
//!
//! # let directory = tempfile::tempdir().unwrap();
//! # let url = format!("file://{}", directory.path().display());
//! let coordinator = Coordinator::connect(&url)?.with_prefix("cinder");
//! // Holds `cinder-7-delete` and `cinder-daily`.
//! assert_eq!(delete(&coordinator, &Volume { id: 7 }, "daily")?, 2);
//! # Ok::<(), Error>(())
//! ```
//!
//! Without `with`, it uses [`Coordinator::global`]: the one that the program has made global, or
//! the one that the environment variable `OSLO_COORDINATION_URL` names.
//!
//! # The life of an acquire
//!
//! ```text
//!          ┌─────────────┐   granted   ┌───────────┐  delivered   ╔══════╗
//! asked ──>│ local turn  │──>┌────────>│ confirmed │─────────────>║ held ║
//!          └─────────────┘   │         └───────────┘              ╚══════╝
//!                 ▲     ┌─────────┐          │ the caller has left
//!                 │     │ request │<──┐      ▼
//!                 │     └─────────┘   │  ┌────────┐
//!                 │      │ held   │ no │  │ undone │──> the turn goes to the next
//!                 │      ▼        ▼ answer└───────┘
//!                 │   waits    unclear ─────▲ the caller has left
//!                 └── asks again ──┘
//! ```
//!
//! 1. **Local turn.** Of the threads and tasks of one coordinator, one at a time asks the server
//!    for a name, first come, first served.
//! 2. **Request.** It carries an id that no other acquire has, and repeating it is harmless: if the
//!    lock is held under this very id, the server answers with the same grant.
//! 3. **Unclear.** A request without an answer may have been carried out, or may still be. It is
//!    repeated, so that an answer is looked up before anything is said. If the caller has left
//!    meanwhile, the id is deleted at the server, if it is there (*undone*). The turn stays taken
//!    until then.
//! 4. **Confirmed.** A grant whose lease has ended by the time it arrives counts as unclear.
//!
//! # The life of a hold
//!
//! ```text
//! held ──a third of the lease──> renewed ──> held
//!   │                               │ no answer
//!   │                               ▼
//!   │                             late ──answer──> held
//!   │                               │ deadline, or: the server knows another holder
//!   │ guard dropped                 ▼
//!   ▼                             lost (for good)
//! released <────guard dropped───────┘
//! ```
//!
//! The deadline is the end of the lease, counted on a clock that includes suspension from *before*
//! the request was sent, less a margin of one in a hundred. An answer that arrives after the
//! deadline does not revive a hold. A release deletes the key only if it has the id of this hold,
//! so a late one frees nothing of its successor. The local turn is passed on when the server has
//! answered the release, or when its lease must have ended.
//!
//! # Interruptions
//!
//! | interruption | in an acquire | in a hold |
//! |---|---|---|
//! | the future is dropped | a request under way goes on; its grant is undone | the guard is dropped: released in the background |
//! | the timeout expires | the caller is told in time; the same | |
//! | the connection is lost | unclear: asked again on a new connection | late, then lost at its deadline; with PostgreSQL, lost at once |
//! | fork | the child gets [`Error::Forked`] | the child's guard is void: `lost`, and its drop does nothing |
//! | a blocked executor | waits: nothing depends on it | renewed all the same |
//! | SIGSTOP, suspension | an expired grant is asked for again | lost as soon as the process looks |
//! | SIGKILL | the key expires with its lease | the same |
//!
//! # Synchronous, on an asynchronous core
//!
//! Each coordinator has one thread, with a runtime of its own, that makes all requests; callers,
//! synchronous or not, only exchange a message with it. For three reasons:
//!
//! * *Dropping a guard never blocks*, and needs no runtime: it may happen in a destructor, on any
//!   thread, in a runtime that is shutting down.
//! * *Renewal does not depend on the caller's executor*: a task that blocks its thread for half a
//!   lease loses no lock.
//! * *No request is cut off in the middle*: a caller that leaves drops only its end of the message,
//!   so there is one place where a grant and a departure meet, and it is checked with every
//!   interleaving (`tests/model`).
//!
//! The price is two switches between threads for each acquire, some microseconds beside the round
//! trip to a server. It also makes `acquire_async` work on every executor.
//!
//! # Features
//!
//! None is on by default.
//!
//! * `etcd`: `etcd3+http://` and `etcd3+https://`.
//! * `postgres`: `postgresql://`.
//! * `redis`: `redis://` and `rediss://`.
//! * `zookeeper`: `zookeeper://` and `kazoo://`.
//! * `tls`: TLS for these. The cryptography is the provider that the program has installed in
//!   rustls, or Graviola, which builds with Rust alone. Graviola needs Rust 1.89, and x86-64 with
//!   AVX2, or aarch64.
//!
//! [tooz]: https://docs.openstack.org/tooz/latest/

#![cfg_attr(docsrs, feature(doc_cfg))]

#[doc(hidden)]
pub mod __private;
mod clock;
mod coordinator;
mod engine;
mod error;
mod global;
mod guard;
mod lifecycle;
mod lock_name;
mod locks;
#[cfg(any(
    feature = "etcd",
    feature = "postgres",
    feature = "redis",
    feature = "zookeeper"
))]
mod net;
mod options;
mod promises;
mod rt;
mod sync;
mod url;

pub use coordinator::Coordinator;
pub use error::Error;
pub use guard::{AsyncGuard, Guard};
pub use lifecycle::Hold;
pub use locks::{AsyncGuards, Guards, LocksOptions};
pub use options::LockOptions;
pub use promises::{Exclusion, Freed, Loss, Names, Promises, Reach, Survival, Token};

pub use oslo_concurrency_macros::synchronized_by_coordinator as synchronized;
