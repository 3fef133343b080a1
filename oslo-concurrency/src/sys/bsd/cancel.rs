//! Ends the wait of another thread, which looks at it between two parts of the wait.

use std::sync::atomic::{AtomicBool, Ordering};

#[derive(Debug, Default)]
pub(crate) struct Cancel(AtomicBool);

impl Cancel {
    #[cfg(feature = "tokio")]
    pub(crate) fn cancel(&self) {
        self.0.store(true, Ordering::SeqCst);
    }

    pub(crate) fn is_cancelled(&self) -> bool {
        self.0.load(Ordering::SeqCst)
    }
}
