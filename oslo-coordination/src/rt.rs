//! The coordinator's own thread, its timers and its clock. The model tests replace this file with shuttle's.

use std::future::Future;
use std::io;
use std::panic::{self, AssertUnwindSafe};
use std::time::Duration;

use tokio::runtime::{Builder, Handle, Runtime};

/// Starts tasks on the coordinator's thread, from any thread and without blocking.
#[derive(Clone, Debug)]
pub(crate) struct Spawner(Handle);

impl Spawner {
    pub(crate) fn spawn(&self, task: impl Future<Output = ()> + Send + 'static) {
        drop(self.0.spawn(task));
    }
}

/// The time since the machine started, including the time when it was suspended.
#[cfg(target_os = "linux")]
pub(crate) fn time_since_boot() -> Duration {
    use nix::time::{ClockId, clock_gettime};
    let now = clock_gettime(ClockId::CLOCK_BOOTTIME);
    now.expect("Linux has had this clock since 2.6.39").into()
}

/// The time since the first call, and an hour. The monotonic clocks of macOS and Windows go on
/// during sleep.
#[cfg(not(target_os = "linux"))]
pub(crate) fn time_since_boot() -> Duration {
    use std::sync::OnceLock;
    use std::time::Instant;
    static FIRST: OnceLock<Instant> = OnceLock::new();
    // No deadline is zero.
    FIRST.get_or_init(Instant::now).elapsed() + Duration::from_secs(3600)
}

/// Time after which every sleep ends early, so that one that a suspended machine delayed is noticed.
const LONGEST: Duration = Duration::from_secs(60);

/// Sleeps for this time, or less.
pub(crate) async fn sleep(duration: Duration) {
    tokio::time::sleep(duration.min(LONGEST)).await;
}

/// Runs the tasks of one coordinator.
#[derive(Debug)]
pub(crate) struct Tasks(Runtime);

impl Tasks {
    pub(crate) fn new() -> io::Result<Self> {
        Builder::new_current_thread()
            .enable_all()
            .build()
            .map(Tasks)
    }

    pub(crate) fn spawner(&self) -> Spawner {
        Spawner(self.0.handle().clone())
    }

    pub(crate) fn run<T>(&self, task: impl Future<Output = T>) -> T {
        self.0.block_on(task)
    }
}

/// Calls functions of the user on a thread of their own, where they may block.
pub(crate) fn call(functions: Vec<Box<dyn FnOnce() + Send>>) {
    if functions.is_empty() {
        return;
    }
    let name = "oslo-coordination-lost".to_owned();
    let started = std::thread::Builder::new().name(name).spawn(move || {
        for function in functions {
            // The others are called even if one panics; the panic was printed.
            let _ = panic::catch_unwind(AssertUnwindSafe(function));
        }
    });
    if let Err(error) = started {
        tracing::error!(%error, "cannot start the thread that reports a lost lock");
    }
}
