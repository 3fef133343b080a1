//! What a trial works with: a service of its own, clients in this process and in others.

use std::marker::PhantomData;
use std::process::Command;
use std::time::{Duration, Instant};

use super::client::{Attempt, Coordinator, Guard, Release};
use super::outcome::{OrViolated, Step, deadline, demand, unknown, until, violated};
use super::process::Process;
use super::proxy::Proxy;
use super::service::{ServerControl, Service};
use crate::testing::lock::WaitLimit;

/// Short enough to wait for its end, and long enough to be renewed on a loaded machine.
pub(super) const SHORT: Duration = Duration::from_secs(2);
/// So long that no lock is freed by its lease in a trial.
pub(super) const LONG: Duration = Duration::from_secs(40);

/// Starts a service whose locks have this lease, for one trial.
pub(super) type MakeService<'a> = &'a (dyn Fn(Duration) -> Box<dyn Service> + Sync);

/// What a trial works with.
pub(super) struct Context<'a, C> {
    pub(super) make: MakeService<'a>,
    /// The program that becomes a worker process.
    pub(super) worker: &'a (dyn Fn() -> Command + Sync),
    /// The name of the lock; other locks of the trial have names that begin with it.
    pub(super) lock: String,
    /// A tenth of the usual amount of everything.
    pub(super) brief: bool,
    pub(super) client: PhantomData<fn() -> C>,
}

impl<C: Coordinator> Context<'_, C> {
    pub(super) fn service(&self, lease: Duration) -> Box<dyn Service> {
        (self.make)(lease)
    }

    /// A number of repetitions.
    pub(super) fn amount(&self, usual: usize) -> usize {
        if self.brief { usual / 10 } else { usual }
    }

    pub(super) fn connect(&self, url: &str) -> Step<C> {
        C::connect(url).or_else(|error| unknown(format!("cannot connect: {error}")))
    }

    pub(super) fn process(&self, url: &str) -> Step<Process> {
        Process::start((self.worker)(), url)
    }

    /// Acquires the lock of the trial.
    pub(super) fn hold(&self, client: &C) -> Step<C::Guard> {
        acquire(client, &self.lock)
    }

    /// The answer to a caller that does not wait.
    pub(super) fn attempt(&self, client: &C) -> Step<Attempt<C::Guard>> {
        let answer = client.acquire(self.lock.as_bytes(), WaitLimit::NoWait);
        answer.or_violated("an acquire failed")
    }

    /// A service with a server, a proxy in front of it, and a client behind that.
    pub(super) fn line(&self, lease: Duration) -> Step<Line<C>> {
        let service = self.service(lease);
        let Some(address) = service.address() else {
            return unknown("the service has no server");
        };
        let proxy = Proxy::start_before(address);
        let Some(url) = service.url_at(([127, 0, 0, 1], proxy.port()).into()) else {
            return unknown("no proxy can stand before this server");
        };
        let client = self.connect(&url)?;
        // From now on the connection and the lease are there, and what a server keeps of a name.
        release(acquire(&client, &self.lock)?)?;
        Ok(Line {
            client,
            proxy,
            direct: self.connect(&service.url())?,
            service,
            lock: self.lock.clone(),
        })
    }
}

/// Acquires a lock that is free, or will be.
pub(super) fn acquire<C: Coordinator>(client: &C, name: &str) -> Step<C::Guard> {
    match client.acquire(name.as_bytes(), WaitLimit::AtMost(deadline())) {
        Ok(Attempt::Acquired(guard)) => Ok(guard),
        Ok(_) => violated(format!("{name} was not acquired within {:?}", deadline())),
        Err(error) => violated(format!("an acquire failed: {error}")),
    }
}

/// Releases a lock that is held.
pub(super) fn release(guard: impl Guard) -> Step {
    match guard.release() {
        Ok(Release::InTime) => Ok(()),
        Ok(Release::Lost) => violated("the lock was lost, though nothing happened to it"),
        Err(error) => violated(format!("a release failed: {error}")),
    }
}

/// The server's process, for trials that stop it.
pub(super) fn server(service: &dyn Service) -> Step<&dyn ServerControl> {
    match service.server() {
        Some(server) => Ok(server),
        None => unknown("the server cannot be stopped"),
    }
}

/// A service, a proxy before it, and a client behind the proxy.
pub(super) struct Line<C> {
    pub(super) client: C,
    pub(super) proxy: Proxy,
    /// A client that does not pass through the proxy.
    pub(super) direct: C,
    pub(super) service: Box<dyn Service>,
    pub(super) lock: String,
}

impl<C: Coordinator> Line<C> {
    /// Waits until the server has answered a request whose answer is withheld.
    pub(super) fn until_answered(&self) -> Step {
        until("the server has answered the request", || {
            let answered = self.proxy.answers().held_back() > 0;
            (answered && self.service.is_held(&self.lock) != Some(false)).then_some(())
        })
    }

    /// The lock must be free, long before the end of its lease, and stay so.
    pub(super) fn demand_free(&self) -> Step {
        demand_free(&self.client, &self.direct, &*self.service, &self.lock)
    }
}

/// The lock must be free, long before the end of its lease, and stay so; for the client that used
/// it last and for another.
pub(super) fn demand_free<C: Coordinator>(
    client: &C,
    other: &C,
    service: &dyn Service,
    lock: &str,
) -> Step {
    let began = Instant::now();
    demand!(
        client.flush(LONG / 2),
        "a request was still under way after {:?}",
        began.elapsed()
    );
    demand!(
        service.is_held(lock) != Some(true),
        "the server still has a holder, though nobody holds the lock"
    );
    let limit = WaitLimit::AtMost(LONG / 4);
    for client in [other, client] {
        match client.acquire(lock.as_bytes(), limit) {
            Ok(Attempt::Acquired(guard)) => release(guard)?,
            Ok(_) => {
                return violated("the lock is left held, though nobody holds it");
            }
            Err(error) => return violated(format!("an acquire failed: {error}")),
        }
    }
    demand!(
        service.is_held(lock) != Some(true),
        "the server has a holder again, though nobody asked"
    );
    Ok(())
}
