//! Observes a lock of `oslo_concurrency` by the events of that library, so that the body need not
//! call the witness.

use std::cell::RefCell;
use std::collections::BTreeSet;
use std::io;
use std::rc::Rc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, OnceLock, PoisonError};

use oslo_concurrency::observe::{self, Observer};

use super::Worker;
use crate::testing::witness::{SectionGuard, Witness};

struct Observation {
    name: String,
    /// Other locks that were acquired, for the message about a misspelt name.
    others: Mutex<BTreeSet<String>>,
    seen: AtomicBool,
}

/// Maximum number of other names remembered.
const MAX_OTHERS: usize = 8;

static OBSERVATION: OnceLock<&'static Observation> = OnceLock::new();

/// The worker on this thread, and its stay in the section.
struct Observed {
    worker: Rc<Worker<'static>>,
    inside: Option<SectionGuard<'static>>,
}

thread_local!(static OBSERVED: RefCell<Option<Observed>> = const { RefCell::new(None) });

/// Observes the lock `name` from now on in this worker process.
pub(super) fn observe_lock(name: &str) -> io::Result<()> {
    let observation = Box::leak(Box::new(Observation {
        name: name.to_owned(),
        others: Mutex::default(),
        seen: AtomicBool::new(false),
    }));
    let observation: &'static Observation = OBSERVATION.get_or_init(|| observation);
    observe::set_observer(observation).map_err(io::Error::other)
}

/// A witness that lives as long as this worker process.
pub(super) fn leak_witness(witness: &Witness) -> io::Result<&'static Witness> {
    Ok(Box::leak(Box::new(witness.map_again()?)))
}

/// Attributes the holds of this thread to `worker`.
pub(super) fn attach(worker: &Rc<Worker<'static>>) {
    OBSERVED.set(Some(Observed {
        worker: Rc::clone(worker),
        inside: None,
    }));
}

/// Reports on standard error, if the observed lock was never acquired, which locks were.
pub(super) fn report_if_unseen() {
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
        true => eprintln!("no lock of oslo_concurrency was acquired"),
        false => eprintln!(
            "the lock `{}` was not acquired; acquired were: {}",
            observation.name,
            names.join(", ")
        ),
    }
}

impl Observer for Observation {
    fn acquired(&self, name: &str) {
        if name != self.name {
            let mut others = self.others.lock().unwrap_or_else(PoisonError::into_inner);
            if others.len() < MAX_OTHERS && !others.contains(name) {
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
            worker.stay_inside(false);
            drop(inside);
            worker.after_section();
        }
    }
}
