//! Holders that lose their lock, and know it.

use std::sync::mpsc::channel;
use std::thread;
use std::time::{Duration, Instant};

use super::super::client::{Attempt, Coordinator, Guard, Release};
use super::super::context::{Context, LONG, SHORT, acquire, release};
use super::super::executor::block_on;
use super::super::outcome::{OrViolated, Step, deadline, demand, unknown, violated};
use super::super::service::Service;
use crate::testing::lock::WaitLimit;

fn lease(service: &dyn Service) -> Step<Duration> {
    match service.lease() {
        Some(lease) => Ok(lease),
        None => unknown("its locks have no leases"),
    }
}

/// The server, or the way to it, is silent from a moment on. The guard says so when the lease has
/// ended, however loaded the machine is, and its watchers are told.
pub(crate) fn silence<C: Coordinator>(context: &Context<'_, C>) -> Step {
    let line = context.line(SHORT)?;
    let lease = lease(&*line.service)?;
    let server = line.service.server();
    // A server that others use is not stopped.
    let client = server.map_or(&line.client, |_| &line.direct);
    let guard = context.hold(client)?;
    let (send, told) = channel();
    guard.on_lost(Box::new(move || {
        // Nobody waits for it any more.
        let _ = send.send(());
    }));
    let silent = match server {
        Some(server) => {
            let before = Instant::now();
            server.pause();
            before
        }
        None => {
            line.proxy.requests().close();
            line.proxy.answers().close();
            Instant::now()
        }
    };
    thread::sleep((silent + lease).saturating_duration_since(Instant::now()));
    let lost = guard.lost();
    let called = told.recv_timeout(deadline()).is_ok();
    if let Some(server) = server {
        server.resume();
    }
    line.proxy.requests().open();
    line.proxy.answers().open();
    demand!(
        lost,
        "the guard said `held` though the server was silent for {lease:?}"
    );
    demand!(called, "the function to call at the loss was not called");
    let released = guard.release().or_violated("a release failed")?;
    demand!(
        released == Release::Lost,
        "the release of a lost lock was reported as in time"
    );
    release(context.hold(client)?)
}

/// The moment when another acquires the lock, the holder that is cut off knows its loss.
pub(crate) fn cut_off<C: Coordinator>(context: &Context<'_, C>) -> Step {
    let line = context.line(SHORT)?;
    for _ in 0..context.amount(10).clamp(1, 2) {
        let guard = acquire(&line.client, &line.lock)?;
        line.proxy.requests().close();
        line.proxy.answers().close();
        let successor = context.hold(&line.direct)?;
        demand!(
            guard.lost(),
            "another holder has the lock, and the holder that is cut off says `held`"
        );
        line.proxy.requests().open();
        line.proxy.answers().open();
        drop(guard);
        demand!(
            line.client.flush(deadline()),
            "its release is still under way"
        );
        demand!(
            !successor.lost(),
            "the successor lost the lock to a late release"
        );
        release(successor)?;
    }
    Ok(())
}

/// An administrator removes the lock at the server.
pub(crate) fn deleted<C: Coordinator>(context: &Context<'_, C>) -> Step {
    let service = context.service(SHORT);
    let lease = lease(&*service)?;
    let client = context.connect(&service.url())?;
    let limit = WaitLimit::AtMost(deadline());
    let acquired = block_on(client.acquire_async(context.lock.as_bytes(), limit));
    let Attempt::Acquired(guard) = acquired.or_violated("an acquire failed")? else {
        return violated("a free lock was not acquired");
    };
    if !service.remove(&context.lock) {
        return unknown("the lock cannot be removed at the server");
    }
    let removed = Instant::now();
    while !guard.lost() && removed.elapsed() < deadline() {
        thread::sleep(Duration::from_millis(1));
    }
    demand!(
        guard.lost(),
        "the holder did not learn within {:?} (lease {lease:?})",
        deadline()
    );
    // Lost for good: both come at once.
    block_on(guard.until_lost());
    block_on(guard.until_lost());
    let other = context.connect(&service.url())?;
    let successor = context.hold(&other)?;
    drop(guard);
    demand!(client.flush(LONG), "a release is still under way");
    demand!(
        !successor.lost(),
        "the successor lost the lock to a late release"
    );
    release(successor)
}
