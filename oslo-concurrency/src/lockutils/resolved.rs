//! Which locks the options of a call led to, remembered for the next call with the same options.

use std::cell::RefCell;
use std::path::PathBuf;
use std::sync::{Arc, Weak};

use super::{Error, LockOptions, config, scope};
use crate::fork;
use crate::named::lock_table::{ExternalEntry, InternalEntry};

/// What the locks of a call depend on.
#[derive(Debug)]
pub(super) struct Question {
    name: String,
    prefix: Option<String>,
    lock_path: Option<PathBuf>,
    external: bool,
    config_epoch: u64,
}

impl Question {
    pub(super) fn of(options: &LockOptions<'_>) -> Self {
        Question {
            name: options.name.to_owned(),
            prefix: options.prefix.map(str::to_owned),
            lock_path: options.lock_path.map(PathBuf::from),
            external: options.external,
            config_epoch: config::epoch(),
        }
    }

    pub(super) fn is_of(&self, options: &LockOptions<'_>) -> bool {
        self.external == options.external
            && self.name == options.name
            && self.prefix.as_deref() == options.prefix
            && self.lock_path.as_ref().map(|path| path.as_os_str())
                == options.lock_path.map(|path| path.as_os_str())
            && self.config_epoch == config::epoch()
    }
}

/// Whether the answer depends on more than the question: on a scope of this thread, or on a container.
pub(super) fn depends_on_more(options: &LockOptions<'_>) -> bool {
    options.semaphores.is_some()
        || options.lock_path.is_none() && scope::current(|path| path.is_some())
}

struct Last {
    question: Question,
    generation: u64,
    internal: Weak<InternalEntry>,
    external: Weak<ExternalEntry>,
}

thread_local!(static LAST: RefCell<Option<Last>> = const { RefCell::new(None) });

/// The locks of an external call, looked up once while a thread keeps asking the same. It keeps no name in use.
pub(super) fn external(
    options: &LockOptions<'_>,
) -> Result<(Arc<InternalEntry>, Option<Arc<ExternalEntry>>), Error> {
    if depends_on_more(options) {
        return options.look_up();
    }
    // Nothing is remembered while the thread's values are being destroyed.
    let remembered = LAST.try_with(|last| {
        let last = last.borrow();
        let last = last
            .as_ref()
            .filter(|last| last.generation == fork::generation() && last.question.is_of(options))?;
        Some((last.internal.upgrade()?, last.external.upgrade()?))
    });
    if let Ok(Some((internal, external))) = remembered {
        return Ok((internal, Some(external)));
    }
    let question = Question::of(options);
    let (internal, external) = options.look_up()?;
    if let Some(external) = &external {
        let last = Last {
            question,
            generation: fork::generation(),
            internal: Arc::downgrade(&internal),
            external: Arc::downgrade(external),
        };
        let _ = LAST.try_with(|place| place.replace(Some(last)));
    }
    Ok((internal, external))
}
