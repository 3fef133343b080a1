//! Nested locks: internal, external and both, by a path and by a link to it. Different locks are
//! acquired in one order, so that only a second request by the same thread is a deadlock, which
//! must be reported at once.

use std::any::Any;
use std::time::Duration;

use lockutils_harness::testing::witness::SectionGuard;
use oslo_concurrency::lockutils::{self, Error};

use crate::random::{Random, spin};
use crate::round::{CALLS, NAMES, Round, fail};

/// The target of a request: the lock between threads of a name, its file, or both.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Request {
    Internal,
    InternalLock,
    External,
    ExternalLock,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Limit {
    Forever,
    None,
    Short(u64),
}

/// Keys in the order in which they may be acquired: by name, and for one name the lock between
/// threads before the file.
fn keys(name: usize, request: Request) -> &'static [usize] {
    const KEYS: [[usize; 2]; 3] = [[0, 1], [2, 3], [4, 5]];
    match request {
        Request::Internal | Request::InternalLock => &KEYS[name][..1],
        Request::External => &KEYS[name],
        Request::ExternalLock => &KEYS[name][1..],
    }
}

pub fn thread(round: &Round, slot: usize) {
    let mut random = Random::new(round.seed, slot as u64);
    let mut calls = 0;
    while !round.board.stops() && calls < CALLS {
        nested(round, slot, &mut random, &mut Vec::new(), &mut calls);
    }
}

pub fn nested(
    round: &Round,
    slot: usize,
    random: &mut Random,
    held: &mut Vec<usize>,
    calls: &mut u64,
) {
    *calls += 1;
    let names = if random.once_in(2) {
        1
    } else {
        NAMES.len() as u64
    };
    let name = random.below(names) as usize;
    let request = [
        Request::Internal,
        Request::InternalLock,
        Request::External,
        Request::ExternalLock,
    ][random.below(4) as usize];
    let limit = match random.below(8) {
        0 => Limit::None,
        1 => Limit::Short(random.below(200)),
        _ => Limit::Forever,
    };
    let wanted = keys(name, request);
    let twice = wanted.iter().any(|key| held.contains(key));
    let in_order = held.iter().all(|key| key < &wanted[0]);
    if !twice && !in_order {
        return;
    }
    let guard = ask(round, name, request, limit, random.once_in(3));
    round.board.goes_on(slot);
    let guard = match (twice, limit, guard) {
        (true, _, Err(Error::WouldDeadlock { .. }))
        | (_, Limit::None, Err(Error::NotAcquired { .. }))
        | (_, Limit::Short(_), Err(Error::Timeout { .. })) => return,
        (false, _, Ok(guard)) => guard,
        (_, _, answer) => fail(&format!(
            "wrong answer: {request:?} of {} ({limit:?}), holding {held:?}: {:?}",
            NAMES[name],
            answer.map(|_| "acquired")
        )),
    };
    let process = slot / round.threads;
    let inside: Vec<SectionGuard<'_>> = wanted
        .iter()
        .map(|key| match key % 2 {
            0 => round.internal_witness(process, name).enter(slot as u32),
            _ => round.file_witness(name).enter(slot as u32),
        })
        .collect();
    held.extend(wanted);
    spin(random.below(10));
    for _ in 0..random.below(3) {
        nested(round, slot, random, held, calls);
    }
    held.truncate(held.len() - wanted.len());
    drop(inside);
    drop(guard);
}

fn ask(
    round: &Round,
    name: usize,
    request: Request,
    limit: Limit,
    by_link: bool,
) -> Result<Box<dyn Any>, Error> {
    let name = NAMES[name];
    let directory = if by_link { round.link() } else { round.real() };
    let guard = |guard| Box::new(guard) as Box<dyn Any>;
    match request {
        Request::Internal | Request::External => {
            let lock = lockutils::lock(name)
                .external(request == Request::External)
                .lock_path(&directory);
            let lock = match limit {
                Limit::Forever => lock,
                Limit::None => lock.blocking(false),
                Limit::Short(time) => lock.timeout(Duration::from_micros(time)),
            };
            lock.acquire().map(guard)
        }
        Request::InternalLock => {
            let lock = lockutils::internal_lock(name, None);
            let guard = |guard| Box::new(guard) as Box<dyn Any>;
            match limit {
                Limit::Forever => lock.acquire().map(guard),
                Limit::None => lock.try_acquire().map(guard),
                Limit::Short(time) => lock.acquire_timeout(Duration::from_micros(time)).map(guard),
            }
        }
        Request::ExternalLock => {
            let lock = lockutils::external_lock(name, None, Some(&directory))?;
            let guard = |guard| Box::new(guard) as Box<dyn Any>;
            match limit {
                Limit::Forever => lock.acquire().map(guard),
                Limit::None => lock.try_acquire().map(guard),
                Limit::Short(time) => lock.acquire_timeout(Duration::from_micros(time)).map(guard),
            }
        }
    }
}
