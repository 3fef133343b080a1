//! Ends the wait of another thread.

use std::io;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};

use super::event::Event;
use crate::sync::lock;

#[derive(Debug, Default)]
pub(crate) struct Cancel {
    cancelled: AtomicBool,
    /// Made by the first wait.
    event: Mutex<Option<Arc<Event>>>,
}

impl Cancel {
    #[cfg(feature = "tokio")]
    pub(crate) fn cancel(&self) {
        self.cancelled.store(true, Ordering::SeqCst);
        // A wait that makes its event after this line finds the flag.
        if let Some(event) = &*lock(&self.event) {
            event.set();
        }
    }

    pub(crate) fn is_cancelled(&self) -> bool {
        self.cancelled.load(Ordering::SeqCst)
    }

    /// An event that [`cancel`](Self::cancel) sets from now on. The caller then looks at
    /// [`is_cancelled`](Self::is_cancelled).
    pub(super) fn event(&self) -> io::Result<Arc<Event>> {
        let mut event = lock(&self.event);
        if event.is_none() {
            *event = Some(Arc::new(Event::new()?));
        }
        match &*event {
            Some(event) => Ok(Arc::clone(event)),
            None => unreachable!("it was made above"),
        }
    }
}
