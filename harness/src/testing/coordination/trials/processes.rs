//! Processes that die, stop, fork.

use super::super::client::{Coordinator, Guard};
use super::super::context::{Context, LONG, SHORT};
use super::super::outcome::{Step, demand, unknown, violated};
use super::super::process::Process;
use super::super::service::Service;

pub(crate) fn death<C: Coordinator>(context: &Context<'_, C>) -> Step {
    let service = context.service(SHORT);
    let mut holder = context.process(&service.url())?;
    let mut waiter = context.process(&service.url())?;
    let acquire = format!("acquire {}", context.lock);
    holder.expect(&acquire, "acquired", "a process")?;
    waiter.expect(&format!("try {}", context.lock), "busy", "another process")?;
    waiter.send(&acquire);
    holder.kill();
    let answer = waiter.answer()?;
    demand!(answer == "acquired", "the lock of a dead process: {answer}");
    Ok(())
}

/// Tokens of several coordinators and processes, in the order of the holds.
pub(crate) fn tokens<C: Coordinator>(context: &Context<'_, C>) -> Step {
    let service = context.service(LONG);
    let (one, other) = (
        context.connect(&service.url())?,
        context.connect(&service.url())?,
    );
    let mut last = 0;
    for _ in 0..context.amount(10).max(2) {
        for client in [&one, &other, &other, &one] {
            let guard = context.hold(client)?;
            last = higher(guard.token(), last)?;
            super::super::context::release(guard)?;
        }
        // Each process is a new one.
        let mut process = context.process(&service.url())?;
        process.expect(
            &format!("acquire {}", context.lock),
            "acquired",
            "a process",
        )?;
        let token = process.ask(&format!("token {}", context.lock))?;
        last = higher(token.parse().ok(), last)?;
        process.expect(
            &format!("release {}", context.lock),
            "released",
            "a process",
        )?;
    }
    Ok(())
}

fn higher(token: Option<u64>, last: u64) -> Step<u64> {
    match token {
        Some(token) if token > last => Ok(token),
        Some(token) => violated(format!("token {token} came after {last}")),
        None => violated("a holder has no token"),
    }
}

/// A holder that was stopped beyond its lease, and its successor.
fn stop_beyond_lease<C: Coordinator>(
    context: &Context<'_, C>,
    service: &dyn Service,
) -> Step<(Process, Process)> {
    if service.lease().is_none() {
        return unknown("its locks have no leases");
    }
    let mut stopped = context.process(&service.url())?;
    let mut successor = context.process(&service.url())?;
    let acquire = format!("acquire {}", context.lock);
    stopped.expect(&acquire, "acquired", "a process")?;
    stopped.pause();
    successor.expect(&acquire, "acquired", "the successor")?;
    stopped.resume();
    Ok((stopped, successor))
}

pub(crate) fn stopped_holder<C: Coordinator>(context: &Context<'_, C>) -> Step {
    let service = context.service(SHORT);
    let (mut stopped, _successor) = stop_beyond_lease(context, &*service)?;
    stopped.expect(
        &format!("check {}", context.lock),
        "lost",
        "the stopped holder",
    )
}

pub(crate) fn stale_release<C: Coordinator>(context: &Context<'_, C>) -> Step {
    let service = context.service(SHORT);
    let (mut stopped, mut successor) = stop_beyond_lease(context, &*service)?;
    let release = format!("release {}", context.lock);
    stopped.expect(&release, "lost", "the stopped holder")?;
    successor.expect(&format!("check {}", context.lock), "held", "its successor")?;
    let mut third = context.process(&service.url())?;
    third.expect(&format!("try {}", context.lock), "busy", "a third process")?;
    successor.expect(&release, "released", "the successor")
}

pub(crate) fn forked<C: Coordinator>(context: &Context<'_, C>) -> Step {
    let service = context.service(SHORT);
    let mut parent = context.process(&service.url())?;
    parent.expect(
        &format!("acquire {}", context.lock),
        "acquired",
        "a process",
    )?;
    parent.expect(
        &format!("fork {}", context.lock),
        "void",
        "a process that forks",
    )?;
    // The child has neither released the parent's lock nor closed its connection.
    if service.lease().is_some() {
        std::thread::sleep(SHORT + SHORT / 2);
    }
    parent.expect(&format!("check {}", context.lock), "held", "the parent")?;
    let mut other = context.process(&service.url())?;
    other.expect(&format!("try {}", context.lock), "busy", "another process")?;
    parent.expect(
        &format!("release {}", context.lock),
        "released",
        "the parent",
    )?;
    other.expect(
        &format!("try {}", context.lock),
        "acquired",
        "another process",
    )
}
