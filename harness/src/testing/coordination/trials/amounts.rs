//! Many locks, odd names, and executors that are blocked.

use std::thread;

use super::super::client::{Attempt, Coordinator, Guard};
use super::super::context::{Context, LONG, SHORT, acquire};
use super::super::executor::block_on;
use super::super::outcome::{OrViolated, Step, deadline, demand, violated};
use crate::testing::lock::WaitLimit;

const MANY: usize = 1_000;

pub(crate) fn many_locks<C: Coordinator>(context: &Context<'_, C>) -> Step {
    // A loaded machine takes some time to acquire so many.
    let service = context.service(SHORT * 5);
    let client = context.connect(&service.url())?;
    let names: Vec<String> = (0..context.amount(MANY))
        .map(|number| format!("{}-{number}", context.lock))
        .collect();
    let guards: Vec<C::Guard> = names
        .iter()
        .map(|name| acquire(&client, name))
        .collect::<Step<_>>()?;
    if let Some(lease) = service.lease().filter(|_| !context.brief) {
        // Each must be renewed.
        thread::sleep(lease + lease / 5);
    }
    let lost = guards.iter().filter(|guard| guard.lost()).count();
    demand!(lost == 0, "{lost} of {} locks were lost", names.len());
    drop(guards);
    demand!(
        client.flush(LONG),
        "their release takes longer than {LONG:?}"
    );
    let other = context.connect(&service.url())?;
    for name in &names {
        let answer = other.acquire(name.as_bytes(), WaitLimit::NoWait);
        demand!(
            matches!(
                answer.or_violated("an acquire failed")?,
                Attempt::Acquired(_)
            ),
            "{name} is left held, though its guard was dropped"
        );
    }
    Ok(())
}

/// Names that are easily mistaken: for separators, patterns, paths, or each other.
pub(crate) fn names<C: Coordinator>(context: &Context<'_, C>) -> Step {
    let service = context.service(LONG);
    let (one, other) = (
        context.connect(&service.url())?,
        context.connect(&service.url())?,
    );
    let long = [b'n'; 200];
    let ends: [&[u8]; 12] = [
        b"a b\n\"':{}",
        "\u{fc}".as_bytes(),
        "u\u{308}".as_bytes(),
        b"\0\xff\xfe",
        b"\0",
        b"../../x",
        b"/x",
        b"%2Fx",
        b"*",
        b"_lock",
        b"$1; '--",
        &long,
    ];
    let mut guards = Vec::new();
    for end in ends {
        let name = [context.lock.as_bytes(), end].concat();
        let shown = String::from_utf8_lossy(&name).into_owned();
        match one.acquire(&name, WaitLimit::NoWait) {
            Ok(Attempt::Acquired(guard)) => guards.push(guard),
            Ok(_) => return violated(format!("{shown:?} is held under another name")),
            Err(error) => return violated(format!("{shown:?} was refused: {error}")),
        }
        let answer = other.acquire(&name, WaitLimit::NoWait);
        demand!(
            matches!(answer.or_violated("an acquire failed")?, Attempt::Busy),
            "{shown:?} has two holders"
        );
    }
    Ok(())
}

/// A task holds a lock and blocks its thread: first for half of the lease, then for more than two.
pub(crate) fn blocked_executor<C: Coordinator>(context: &Context<'_, C>) -> Step {
    let service = context.service(SHORT);
    let client = context.connect(&service.url())?;
    let lease = service.lease().unwrap_or(SHORT / 8);
    block_on(async {
        let limit = WaitLimit::AtMost(deadline());
        let acquired = client.acquire_async(context.lock.as_bytes(), limit).await;
        let Attempt::Acquired(guard) = acquired.or_violated("an acquire failed")? else {
            return violated("a free lock was not acquired");
        };
        for blocked in [lease / 2, lease * 2 + lease / 2] {
            thread::sleep(blocked);
            demand!(
                !guard.lost(),
                "a thread that blocked for {blocked:?} lost the lock"
            );
        }
        super::super::context::release(guard)
    })
}
