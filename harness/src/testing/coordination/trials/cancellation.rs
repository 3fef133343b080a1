//! Futures that are dropped at every step, and answers that are lost.

use std::pin::pin;
use std::thread;
use std::time::{Duration, Instant};

use super::super::client::{Attempt, Coordinator, Guard};
use super::super::context::{Context, LONG, Line, acquire, demand_free, release};
use super::super::executor::poll_once;
use super::super::outcome::{OrViolated, Step, deadline, demand, until, violated};
use crate::testing::lock::WaitLimit;

/// Dropped after any number of polls.
pub(crate) fn cancelled<C: Coordinator>(context: &Context<'_, C>) -> Step {
    let service = context.service(LONG);
    let client = context.connect(&service.url())?;
    for polls in 0..context.amount(40) {
        {
            let name = context.lock.as_bytes();
            let mut acquiring = pin!(client.acquire_async(name, WaitLimit::Forever));
            for _ in 0..polls {
                if poll_once(acquiring.as_mut()).is_ready() {
                    break;
                }
                thread::sleep(Duration::from_micros(20));
            }
        }
        release(context.hold(&client)?)?;
    }
    let other = context.connect(&service.url())?;
    let free = matches!(context.attempt(&other)?, Attempt::Acquired(_));
    demand!(free, "the lock is left held, though nobody holds it");
    Ok(())
}

/// Begins an acquire, waits for `moment`, and drops it.
fn abandon_at<C: Coordinator>(line: &Line<C>, moment: impl FnOnce() -> Step) -> Step {
    let name = line.lock.as_bytes();
    let mut acquiring = pin!(line.client.acquire_async(name, WaitLimit::Forever));
    demand!(
        poll_once(acquiring.as_mut()).is_pending(),
        "an acquire ended before its request was answered"
    );
    moment()
}

pub(crate) fn request_in_flight<C: Coordinator>(context: &Context<'_, C>) -> Step {
    let line = context.line(LONG)?;
    line.proxy.requests().close();
    abandon_at(&line, || {
        until("the request is under way", || {
            (line.proxy.requests().held_back() > 0).then_some(())
        })
    })?;
    line.proxy.requests().open();
    line.demand_free()
}

/// Dropped, and timed out, while the answer is withheld; and when it has arrived and was not taken.
pub(crate) fn answer_in_flight<C: Coordinator>(context: &Context<'_, C>) -> Step {
    let line = context.line(LONG)?;
    line.proxy.answers().close();
    abandon_at(&line, || line.until_answered())?;
    line.proxy.answers().open();
    line.demand_free()?;

    line.proxy.answers().close();
    let limit = Duration::from_millis(300);
    let began = Instant::now();
    let answer = line
        .client
        .acquire(line.lock.as_bytes(), WaitLimit::AtMost(limit));
    let waited = began.elapsed();
    demand!(
        matches!(
            answer.or_violated("an acquire failed")?,
            Attempt::TimedOut | Attempt::Unavailable
        ),
        "an acquire whose answer is withheld did not time out"
    );
    demand!(
        waited >= limit,
        "a wait of {limit:?} ended after {waited:?}"
    );
    demand!(
        waited < limit + deadline() / 4,
        "a wait of {limit:?} ended only after {waited:?}"
    );
    line.proxy.answers().open();
    line.demand_free()?;

    abandon_at(&line, || {
        thread::sleep(Duration::from_millis(50));
        Ok(())
    })?;
    line.demand_free()
}

/// Dropped while another has the lock: in another process or in this one.
pub(crate) fn cancelled_wait<C: Coordinator>(context: &Context<'_, C>) -> Step {
    let service = context.service(LONG);
    let (client, other) = (
        context.connect(&service.url())?,
        context.connect(&service.url())?,
    );
    for holder in [&other, &client] {
        let guard = context.hold(holder)?;
        {
            let name = context.lock.as_bytes();
            let mut acquiring = pin!(client.acquire_async(name, WaitLimit::Forever));
            for _ in 0..20 {
                demand!(
                    poll_once(acquiring.as_mut()).is_pending(),
                    "a wait ended while the lock was held"
                );
                thread::sleep(Duration::from_millis(5));
            }
        }
        // It has stopped asking, though the lock is held.
        demand!(client.flush(LONG / 4), "a wait that was dropped goes on");
        release(guard)?;
        demand_free(&client, &other, &*service, &context.lock)?;
    }
    Ok(())
}

/// The answer is lost on the way: the grant is looked up; or undone if the caller has left.
pub(crate) fn lost_answer<C: Coordinator>(context: &Context<'_, C>) -> Step {
    let line = context.line(LONG)?;
    line.proxy.answers().close();
    let holds = thread::scope(|scope| {
        let acquiring = scope.spawn(|| {
            let guard = acquire(&line.client, &line.lock)?;
            let busy = matches!(context.attempt(&line.direct)?, Attempt::Busy);
            demand!(busy, "the caller has a guard, and the lock is free");
            demand!(!guard.lost(), "a guard came that was lost already");
            let token = guard.token();
            release(guard)?;
            Ok(token)
        });
        let cut = line.until_answered();
        line.proxy.cut();
        line.proxy.answers().open();
        let ended = acquiring.join();
        cut?;
        ended.unwrap_or_else(|_| violated("a thread that acquired the lock panicked"))
    })?;
    let next = acquire(&line.direct, &line.lock)?;
    demand!(
        holds.is_none() || next.token() > holds,
        "token {:?} came after {holds:?}, whose answer was lost",
        next.token()
    );
    release(next)?;
    line.demand_free()?;

    line.proxy.answers().close();
    abandon_at(&line, || line.until_answered())?;
    line.proxy.cut();
    line.proxy.answers().open();
    line.demand_free()
}

/// The connection breaks while a release is under way.
pub(crate) fn lost_release<C: Coordinator>(context: &Context<'_, C>) -> Step {
    let line = context.line(LONG)?;
    for before_the_server in [true, false] {
        let guard = acquire(&line.client, &line.lock)?;
        let gate = match before_the_server {
            true => line.proxy.requests(),
            false => line.proxy.answers(),
        };
        gate.close();
        let began = Instant::now();
        drop(guard);
        let took = began.elapsed();
        demand!(
            took < LONG / 8,
            "dropping a guard took {took:?}: it waits for the server"
        );
        until("the release is under way", || {
            (gate.held_back() > 0).then_some(())
        })?;
        line.proxy.cut();
        gate.open();
        line.demand_free()?;
    }
    Ok(())
}
