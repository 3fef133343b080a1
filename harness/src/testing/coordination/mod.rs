//! The conformance suite for coordinators: clients of servers that keep locks.
//!
//! Implement [`Coordinator`] and [`Guard`] for the client, and [`Service`] for a server that the
//! suite may stop and restart. [`coordination_conformance!`](crate::coordination_conformance) makes
//! a test of each [`Promise`], and [`Suite`] runs trials by itself. A trial has a service of its
//! own. It uses the client in threads, tasks and other processes, stops some of them and the server,
//! and withholds requests and answers with a [`Proxy`](proxy::Proxy).
//!
//! No trial fails because the machine is loaded: what is awaited has a generous limit, and what
//! must be true at a moment is compared with the moment, not with the time that a thread needed.

mod client;
mod context;
mod executor;
#[cfg(feature = "oslo-coordination")]
mod oslo;
mod outcome;
mod process;
mod promise;
pub mod proxy;
mod sections;
mod service;
mod trials;
mod unix;

use std::marker::PhantomData;
use std::process::Command;
use std::time::Duration;

pub use self::client::{Attempt, ClientError, Coordinator, Guard, Release};
#[cfg(feature = "oslo-coordination")]
pub use self::oslo::Oslo;
pub use self::promise::Promise;
pub use self::service::{ServerControl, Service};

use self::context::{Context, MakeService};
use crate::testing::finding::Finding;

/// Trials of a client and a service.
pub struct Suite<'a> {
    make: MakeService<'a>,
    worker: &'a (dyn Fn() -> Command + Sync),
    name: String,
    brief: bool,
}

impl<'a> Suite<'a> {
    /// The suite for the services that `make` starts, each with locks of the given lease.
    ///
    /// `worker` is a program that calls [`serve_if_asked`] at its start. The trials execute it as
    /// another process.
    pub fn new(
        make: &'a (dyn Fn(Duration) -> Box<dyn Service> + Sync),
        worker: &'a (dyn Fn() -> Command + Sync),
    ) -> Self {
        Suite {
            make,
            worker,
            name: "x".to_owned(),
            brief: false,
        }
    }

    /// Puts this before the names of all locks, for a server that others use too. By default it is
    /// `x`.
    pub fn name(mut self, name: impl Into<String>) -> Self {
        self.name = name.into();
        self
    }

    /// If `true`, repeats everything a tenth as often.
    pub fn brief(mut self, brief: bool) -> Self {
        self.brief = brief;
        self
    }

    /// Tests whether the client keeps a promise.
    pub fn examine<C: Coordinator>(&self, promise: Promise) -> Finding {
        let context = Context::<C> {
            make: self.make,
            worker: self.worker,
            lock: self.name.clone(),
            brief: self.brief,
            client: PhantomData,
        };
        match trials::run(promise, &context) {
            Ok(()) => Finding::Held,
            Err(conclusion) => conclusion,
        }
    }
}

/// Becomes a worker process of a trial, and never returns, if this process was started for that.
pub fn serve_if_asked<C: Coordinator>() {
    process::serve_if_asked::<C>();
}

/// Asserts that the client keeps the promise. `test` is the path of the calling test, which is
/// executed again for other processes.
///
/// # Panics
/// Panics with the evidence if the promise is broken, and with the reason if the verdict is *not
/// known*.
#[doc(hidden)]
#[track_caller]
pub fn assert_kept<C: Coordinator>(
    promise: Promise,
    test: &str,
    make: &(dyn Fn(Duration) -> Box<dyn Service> + Sync),
) {
    serve_if_asked::<C>();
    let worker = || {
        let program = std::env::current_exe().unwrap_or_else(|error| panic!("{error}"));
        let mut command = Command::new(program);
        // Without the name of the crate, as the test framework names it.
        let name = test.split_once("::").map_or(test, |(_, name)| name);
        command.args([name, "--exact", "--include-ignored", "--nocapture"]);
        command
    };
    let verdict = Suite::new(make, &worker).examine::<C>(promise);
    assert!(verdict.is_held(), "{}: {verdict}", promise.word());
}

/// Makes a module with one test for each
/// [`Promise`](crate::testing::coordination::Promise) of a coordinator.
///
/// The arguments are the module's name, the client, a function that starts a
/// [`Service`](crate::testing::coordination::Service) whose locks have the given lease, and the
/// promises that are not made:
///
/// ```no_run
/// # #[cfg(feature = "oslo-coordination")]
/// # mod example {
/// use std::time::Duration;
///
/// use lockutils_harness::coordination_conformance;
/// use lockutils_harness::testing::coordination::{Oslo, Service};
///
/// struct Etcd(Duration);
///
/// impl Service for Etcd {
///     fn url(&self) -> String {
///         format!("etcd3+http://127.0.0.1:2379?lock_timeout={}", self.0.as_secs())
///     }
///
///     fn lease(&self) -> Option<Duration> {
///         Some(self.0)
///     }
/// }
///
/// coordination_conformance!(etcd, Oslo, Etcd, not_promised: [restart]);
/// # }
/// # fn main() {}
/// ```
///
/// A test passes only if its promise was tried and kept. Promises in `not_promised` are not tried,
/// and their tests are ignored. The names of the tests are those of the promises in lower case:
/// `threads`, `tasks`, `processes`, `busy`, `hand_over`, `death`, `panic`, `tokens`, `restart`,
/// `silence`, `cut_off`, `deleted`, `stopped_holder`, `stale_release`, `reset`, `late_renewal`,
/// `cancelled`, `request_in_flight`, `answer_in_flight`, `cancelled_wait`, `lost_answer`,
/// `lost_release`, `timeout`, `outage`, `forked`, `many_locks`, `names` and `blocked_executor`.
#[macro_export]
macro_rules! coordination_conformance {
    ($name:ident, $client:ty, $make:expr $(,)?) => {
        $crate::coordination_conformance!($name, $client, $make, not_promised: []);
    };
    (
        $name:ident, $client:ty, $make:expr, not_promised: [$($not:ident),* $(,)?] $(,)?
    ) => {
        mod $name {
            #[allow(unused_imports)]
            use super::*;
            use $crate::testing::coordination::{Promise, Service, assert_kept};

            $crate::coordination_conformance!(@module ($) [$($not)*] ($client) ($make);
                threads Threads, tasks Tasks, processes Processes, busy Busy, hand_over HandOver,
                death Death, panic Panic, tokens Tokens, restart Restart, silence Silence,
                cut_off CutOff, deleted Deleted, stopped_holder StoppedHolder,
                stale_release StaleRelease, reset Reset, late_renewal LateRenewal,
                cancelled Cancelled, request_in_flight RequestInFlight,
                answer_in_flight AnswerInFlight, cancelled_wait CancelledWait,
                lost_answer LostAnswer, lost_release LostRelease, timeout Timeout, outage Outage,
                forked Forked, many_locks ManyLocks, names Names,
                blocked_executor BlockedExecutor);
        }
    };
    (
        @module ($d:tt) [$($not:ident)*] ($client:ty) ($make:expr);
        $($test:ident $promise:ident),*
    ) => {
        /// A name that is not one of a test does not compile.
        #[allow(dead_code, non_upper_case_globals)]
        mod all {
            $(pub const $test: () = ();)*
        }
        $(const _: () = all::$not;)*

        fn start(lease: std::time::Duration) -> Box<dyn Service> {
            Box::new(($make)(lease))
        }

        fn check(promise: Promise, test: &str) {
            assert_kept::<$client>(promise, &format!("{}::{test}", module_path!()), &start);
        }

        #[allow(unused_macro_rules)]
        macro_rules! test {
            $(($not $d promise:ident) => {
                #[test]
                #[ignore = "not promised: not tried"]
                fn $not() {
                    check(Promise::$d promise, stringify!($not));
                }
            };)*
            ($d test:ident $d promise:ident) => {
                #[test]
                fn $d test() {
                    check(Promise::$d promise, stringify!($d test));
                }
            };
        }
        $(test!($test $promise);)*
    };
}
