//! Callers that wait, or do not.

use std::thread;
use std::time::{Duration, Instant};

use super::super::client::{Attempt, Coordinator};
use super::super::context::{Context, LONG, acquire, release};
use super::super::outcome::{OrViolated, Step, demand, until, violated};
use crate::testing::lock::WaitLimit;

pub(crate) fn busy<C: Coordinator>(context: &Context<'_, C>) -> Step {
    let service = context.service(LONG);
    let (one, other) = (
        context.connect(&service.url())?,
        context.connect(&service.url())?,
    );
    let mut process = context.process(&service.url())?;
    let guard = context.hold(&one)?;
    for client in [&one, &other] {
        // On another thread: its own may be refused for another reason.
        let answer = thread::scope(|scope| {
            let thread = scope.spawn(|| Ok(matches!(context.attempt(client)?, Attempt::Busy)));
            thread.join().unwrap_or_else(|_| violated("it panicked"))
        })?;
        demand!(answer, "a caller that does not wait was not refused");
    }
    let own = matches!(context.attempt(&one)?, Attempt::Busy);
    demand!(own, "the holder's own thread got the lock twice");
    process.expect(&format!("try {}", context.lock), "busy", "another process")?;
    let free = format!("{}-free", context.lock);
    release(acquire(&other, &free)?)?;
    process.expect(&format!("try {free}"), "acquired", "another process")?;
    release(guard)?;
    process.expect(
        &format!("try {}", context.lock),
        "acquired",
        "another process",
    )
}

pub(crate) fn hand_over<C: Coordinator>(context: &Context<'_, C>) -> Step {
    let service = context.service(LONG);
    let client = context.connect(&service.url())?;
    let mut other = context.process(&service.url())?;
    for round in 0..context.amount(10).max(2) {
        let guard = context.hold(&client)?;
        other.send(&format!("acquire {}", context.lock));
        thread::sleep(Duration::from_millis(50));
        let early = other.answer_so_far();
        demand!(
            early.is_none(),
            "a waiter was answered {early:?} while the lock was held"
        );
        // Half of them by dropping the guard.
        match round % 2 {
            0 => drop(guard),
            _ => release(guard)?,
        }
        let answer = other.answer()?;
        demand!(answer == "acquired", "a waiter was answered `{answer}`");
        other.expect(
            &format!("release {}", context.lock),
            "released",
            "the waiter",
        )?;
    }
    Ok(())
}

pub(crate) fn timeout<C: Coordinator>(context: &Context<'_, C>) -> Step {
    let service = context.service(LONG);
    let (holder, waiter) = (
        context.connect(&service.url())?,
        context.connect(&service.url())?,
    );
    let held = context.hold(&holder)?;
    for milliseconds in [1, 7, 50, 150, 150, 150] {
        let limit = Duration::from_millis(milliseconds);
        let began = Instant::now();
        let answer = waiter.acquire(context.lock.as_bytes(), WaitLimit::AtMost(limit));
        let waited = began.elapsed();
        demand!(
            matches!(
                answer.or_violated("a timed wait failed")?,
                Attempt::TimedOut
            ),
            "a wait of {limit:?} for a held lock did not time out"
        );
        demand!(
            waited >= limit,
            "a wait of {limit:?} ended after {waited:?}"
        );
    }
    demand_prompt(context, &waiter)?;
    // The waits are over for good.
    release(held)?;
    let flushed = waiter.flush(LONG / 4);
    demand!(flushed, "a wait that timed out is still under way");
    let answer = context.attempt(&holder)?;
    demand!(
        matches!(answer, Attempt::Acquired(_)),
        "a wait that had timed out acquired the lock"
    );
    Ok(())
}

/// A wait is at most 50 ms late. The machine may be busy with other things: of many waits, one is
/// on time.
fn demand_prompt<C: Coordinator>(context: &Context<'_, C>, waiter: &C) -> Step {
    let limit = Duration::from_millis(20);
    until("a timeout that is at most 50 ms late", || {
        let began = Instant::now();
        let answer = waiter.acquire(context.lock.as_bytes(), WaitLimit::AtMost(limit));
        let is_prompt = began.elapsed() <= limit + Duration::from_millis(50);
        (is_prompt && matches!(answer, Ok(Attempt::TimedOut))).then_some(())
    })
}
