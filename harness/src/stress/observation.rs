//! Watches the lock of a function that knows nothing of the witness, by what the lock library tells.

use std::cell::RefCell;
use std::io;
use std::rc::Rc;

use oslo_concurrency::observe::{self, Observer};

use super::Worker;
use crate::witness::{Inside, Witness};

struct Observation {
    name: String,
}

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
    }));
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

impl Observer for Observation {
    fn acquired(&self, name: &str) {
        if name != self.name {
            return;
        }
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
