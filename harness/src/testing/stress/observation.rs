//! Watches the lock of a function that knows nothing of the witness, by what the lock library tells.

use std::cell::RefCell;
use std::collections::BTreeSet;
use std::io;
use std::rc::Rc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, OnceLock, PoisonError};

use oslo_concurrency::observe::{self, Observer};

use super::Worker;
use crate::testing::witness::{Inside, Witness};

struct Observation {
    name: String,
    /// Other locks that were taken, of which one may have been meant.
    others: Mutex<BTreeSet<String>>,
    seen: AtomicBool,
}

/// So many other names are remembered.
const MOST: usize = 8;

static OBSERVATION: OnceLock<&'static Observation> = OnceLock::new();

/// The worker on this thread, and whether it is in the section.
struct Observed {
    worker: Rc<Worker<'static>>,
    inside: Option<Inside<'static>>,
}

thread_local!(static OBSERVED: RefCell<Option<Observed>> = const { RefCell::new(None) });

/// In a worker process: from now on the lock `name` is watched.
pub(super) fn watch(name: &str) -> io::Result<()> {
    let observation = Box::leak(Box::new(Observation {
        name: name.to_owned(),
        others: Mutex::default(),
        seen: AtomicBool::new(false),
    }));
    let observation: &'static Observation = OBSERVATION.get_or_init(|| observation);
    observe::set_observer(observation).map_err(io::Error::other)
}

/// A witness for as long as this worker process lives.
pub(super) fn lasting(witness: &Witness) -> io::Result<&'static Witness> {
    Ok(Box::leak(Box::new(witness.again()?)))
}

/// What this thread holds is held by `worker`.
pub(super) fn this_thread_is(worker: &Rc<Worker<'static>>) {
    OBSERVED.set(Some(Observed {
        worker: Rc::clone(worker),
        inside: None,
    }));
}

/// Says on standard error which locks were taken instead, if the one that was to be watched was not.
pub(super) fn tell_if_unseen() {
    let Some(observation) = OBSERVATION.get() else {
        return;
    };
    if observation.seen.load(Ordering::Relaxed) {
        return;
    }
    let others = observation.others.lock();
    let others = others.unwrap_or_else(PoisonError::into_inner);
    let names: Vec<String> = others.iter().map(|name| format!("`{name}`")).collect();
    match names.is_empty() {
        true => eprintln!("no lock of oslo_concurrency was taken at all"),
        false => eprintln!(
            "no lock `{}` was taken; those that were taken: {}",
            observation.name,
            names.join(", ")
        ),
    }
}

impl Observer for Observation {
    fn acquired(&self, name: &str) {
        if name != self.name {
            let mut others = self.others.lock().unwrap_or_else(PoisonError::into_inner);
            if others.len() < MOST && !others.contains(name) {
                others.insert(name.to_owned());
            }
            return;
        }
        self.seen.store(true, Ordering::Relaxed);
        OBSERVED.with_borrow_mut(|observed| {
            if let Some(Observed { worker, inside }) = observed {
                *inside = Some(worker.enter());
            }
        });
    }

    fn releasing(&self, name: &str) {
        if name != self.name {
            return;
        }
        let observed = OBSERVED.with_borrow_mut(|observed| {
            let Observed { worker, inside } = observed.as_mut()?;
            Some((Rc::clone(worker), inside.take()?))
        });
        if let Some((worker, inside)) = observed {
            worker.linger(false);
            drop(inside);
            worker.afterwards();
        }
    }
}
