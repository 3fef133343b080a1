//! Locks for tasks: exclusion, cancellation, and no blocked threads.

mod between_tasks;
#[cfg(target_os = "linux")] // which shows the threads of a process
mod in_the_kernel;
mod synchronized;

use std::future::Future;
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::{Context, Poll, Wake, Waker};
use std::time::{Duration, Instant};

use oslo_concurrency::lockutils::LockOptions;

/// The limit of every wait in these tests, longer than any event takes on a loaded machine.
const DEADLINE: Duration = Duration::from_secs(60);

#[cfg(target_os = "linux")]
fn until(what: &str, event: impl Fn() -> bool) {
    let deadline = Instant::now() + DEADLINE;
    while !event() {
        assert!(Instant::now() < deadline, "waited in vain: {what}");
        std::thread::sleep(Duration::from_micros(200));
    }
}

fn is_free(lock: LockOptions<'_>) -> bool {
    lock.blocking(false).acquire().is_ok()
}

/// Counts the wake-ups of its task.
#[derive(Default)]
struct Woken(AtomicUsize);

impl Wake for Woken {
    fn wake(self: Arc<Self>) {
        self.0.fetch_add(1, Ordering::SeqCst);
    }
}

impl Woken {
    fn times(&self) -> usize {
        self.0.load(Ordering::SeqCst)
    }
}

fn poll_once<F: Future>(future: Pin<&mut F>, woken: &Arc<Woken>) -> Poll<F::Output> {
    let waker = Waker::from(Arc::clone(woken));
    future.poll(&mut Context::from_waker(&waker))
}

/// Runs `future` on this thread, which sleeps meanwhile: no runtime is needed.
fn block_on<F: Future>(future: F) -> F::Output {
    struct Unpark(std::thread::Thread);
    impl Wake for Unpark {
        fn wake(self: Arc<Self>) {
            self.0.unpark();
        }
    }
    let waker = Waker::from(Arc::new(Unpark(std::thread::current())));
    let mut future = pin!(future);
    let deadline = Instant::now() + DEADLINE;
    loop {
        if let Poll::Ready(output) = future.as_mut().poll(&mut Context::from_waker(&waker)) {
            return output;
        }
        assert!(Instant::now() < deadline, "the future is never ready");
        std::thread::park_timeout(DEADLINE);
    }
}

#[cfg(target_os = "linux")]
fn external<'a>(name: &'a str, directory: &'a tempfile::TempDir) -> LockOptions<'a> {
    oslo_concurrency::lockutils::lock(name)
        .external(true)
        .lock_path(directory.path())
}
