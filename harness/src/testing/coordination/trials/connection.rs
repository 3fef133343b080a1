//! Connections and servers that fail, and come back.

use std::thread;
use std::time::{Duration, Instant};

use super::super::client::{Attempt, Coordinator, Guard};
use super::super::context::{Context, LONG, SHORT, acquire, release, server};
use super::super::outcome::{OrViolated, Step, deadline, demand, until};
use crate::testing::lock::WaitLimit;

/// The server is killed and started again with its data, while a lock is held.
pub(crate) fn restart<C: Coordinator>(context: &Context<'_, C>) -> Step {
    let service = context.service(SHORT * 5);
    let server = server(&*service)?;
    let client = context.connect(&service.url())?;
    let guard = context.hold(&client)?;
    let token = guard.token();
    server.kill();
    thread::sleep(Duration::from_millis(200));
    server.start();
    // Long enough for a renewal.
    thread::sleep(SHORT * 5 / 2);
    demand!(!guard.lost(), "the lock was lost with the restart");
    let other = context.connect(&service.url())?;
    let busy = matches!(context.attempt(&other)?, Attempt::Busy);
    demand!(
        busy,
        "the lock was free after the restart, though it is held"
    );
    release(guard)?;
    let next = context.hold(&client)?;
    demand!(
        next.token() > token,
        "token {:?} came after {token:?}, across a restart of the server",
        next.token()
    );
    release(next)
}

/// The connection is cut again and again.
pub(crate) fn reset<C: Coordinator>(context: &Context<'_, C>) -> Step {
    let line = context.line(SHORT)?;
    let guard = acquire(&line.client, &line.lock)?;
    for _ in 0..8 {
        line.proxy.cut();
        thread::sleep(SHORT / 4);
        demand!(!guard.lost(), "the lock was lost with its connection");
    }
    let busy = matches!(context.attempt(&line.direct)?, Attempt::Busy);
    demand!(busy, "the lock was free, though its guard says `held`");
    release(guard)
}

/// One renewal has no answer; the next has.
pub(crate) fn late_renewal<C: Coordinator>(context: &Context<'_, C>) -> Step {
    let line = context.line(SHORT)?;
    let guard = acquire(&line.client, &line.lock)?;
    line.proxy.answers().close();
    until("a renewal is unanswered", || {
        (line.proxy.answers().held_back() > 0).then_some(())
    })?;
    demand!(!guard.lost(), "the lock was lost before its lease ended");
    line.proxy.cut();
    line.proxy.answers().open();
    thread::sleep(SHORT);
    demand!(!guard.lost(), "one renewal without an answer lost the lock");
    release(guard)
}

/// Acquires while the server is down, and while it hangs; and after it came back.
pub(crate) fn outage<C: Coordinator>(context: &Context<'_, C>) -> Step {
    let service = context.service(SHORT);
    let server = server(&*service)?;
    let client = context.connect(&service.url())?;
    release(context.hold(&client)?)?;
    let limit = Duration::from_millis(700);
    for down in [true, false] {
        if down {
            server.kill();
        } else {
            server.pause();
        }
        let began = Instant::now();
        let answer = client.acquire(context.lock.as_bytes(), WaitLimit::AtMost(limit));
        let waited = began.elapsed();
        if down {
            server.start();
        } else {
            server.resume();
        }
        let answer = answer.or_violated("an acquire failed during an outage")?;
        demand!(
            matches!(answer, Attempt::Unavailable | Attempt::TimedOut),
            "an acquire during an outage was answered otherwise than `unavailable`"
        );
        demand!(
            waited >= limit,
            "a wait of {limit:?} ended after {waited:?}"
        );
        demand!(
            waited < limit + deadline() / 4,
            "a wait of {limit:?} ended only after {waited:?}"
        );
        release(context.hold(&client)?)?;
    }
    demand!(client.flush(LONG), "a request is still under way");
    Ok(())
}
