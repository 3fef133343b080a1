//! Events that another thread sends.

use std::time::Duration;

use tracing::{Dispatch, Span};

use crate::alarms::{Alarm, AlarmThread, Stopped};
use crate::sys;

static EVENTS: AlarmThread = AlarmThread::new("watchdog", sys::spawn);

/// Calls `call` after `after`, in the thread that sends events. If that thread cannot be started,
/// there is no call.
pub(crate) fn call_after(
    after: Duration,
    call: impl FnMut(Duration, &Stopped) -> Option<Duration> + Send + 'static,
) -> Alarm {
    EVENTS.call_after(after, call).0
}

/// The subscriber and the span of the thread that made this value, for an event that another thread
/// sends.
pub(crate) struct Subscriber {
    dispatch: Dispatch,
    span: Span,
}

impl Subscriber {
    pub(crate) fn current() -> Self {
        Subscriber {
            dispatch: tracing::dispatcher::get_default(Dispatch::clone),
            span: Span::current(),
        }
    }

    /// Runs `event`, which sends an event, in this subscriber and span.
    pub(crate) fn send(&self, event: impl FnOnce()) {
        tracing::dispatcher::with_default(&self.dispatch, || self.span.in_scope(event));
    }
}
