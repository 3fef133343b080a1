//! Events about actions and waits for locks that take long.

#![cfg(target_os = "linux")] // forks, and locks of other processes by fcntl(2)

use std::fmt::{Debug, Write};
use std::fs::OpenOptions;
use std::sync::mpsc::{Receiver, Sender, channel};
use std::time::{Duration, Instant};

use nix::fcntl::{FcntlArg, fcntl};
use oslo_concurrency::lockutils::{self, Error};
use oslo_concurrency::watchdog;
use tracing::field::{Field, Visit};
use tracing::{Event, Level, Subscriber};
use tracing_subscriber::layer::{Context, Layer, SubscriberExt};
use tracing_subscriber::registry::LookupSpan;

/// The limit of every wait in these tests, longer than any event takes on a loaded machine.
const DEADLINE: Duration = Duration::from_secs(60);
const SOON: Duration = Duration::from_millis(2);

/// An event of this library: its level, its fields in one line, and the span it is in.
#[derive(Debug)]
struct Reported {
    level: Level,
    text: String,
    span: Option<&'static str>,
}

impl Reported {
    fn seconds(&self, field: &str) -> f64 {
        let (_, after) = self.text.split_once(&format!("{field}=")).unwrap();
        after.split(' ').next().unwrap().parse().unwrap()
    }
}

struct Sends(Sender<Reported>);

impl<S: Subscriber + for<'a> LookupSpan<'a>> Layer<S> for Sends {
    fn on_event(&self, event: &Event<'_>, context: Context<'_, S>) {
        let mut text = Text(String::new());
        event.record(&mut text);
        let events = Reported {
            level: *event.metadata().level(),
            text: text.0,
            span: context.event_span(event).map(|span| span.name()),
        };
        let _ = self.0.send(events);
    }
}

struct Text(String);

impl Visit for Text {
    fn record_debug(&mut self, field: &Field, value: &dyn Debug) {
        write!(self.0, "{field}={value:?} ").unwrap();
    }

    fn record_str(&mut self, field: &Field, value: &str) {
        write!(self.0, "{field}={value} ").unwrap();
    }
}

fn subscriber(send: Sender<Reported>, level: Level) -> impl Subscriber + Send + Sync {
    let filter = tracing_subscriber::filter::LevelFilter::from_level(level);
    tracing_subscriber::registry().with(Sends(send).with_filter(filter))
}

/// The events of `level` and above while `run` runs on this thread.
fn listening<T>(level: Level, run: impl FnOnce(&Receiver<Reported>) -> T) -> T {
    let (send, events) = channel();
    tracing::subscriber::with_default(subscriber(send, level), || run(&events))
}

#[test]
fn an_action_that_takes_long_is_told_once_and_at_its_level() {
    listening(Level::TRACE, |events| {
        for level in [
            Level::ERROR,
            Level::WARN,
            Level::INFO,
            Level::DEBUG,
            Level::TRACE,
        ] {
            let span = tracing::info_span!("request").entered();
            let watch = watchdog::watch("copying").level(level).after(SOON).start();
            let event = events.recv_timeout(DEADLINE).unwrap();
            drop(watch);
            drop(span);
            assert_eq!(event.level, level);
            assert_eq!(event.span, Some("request"));
            assert!(event.text.contains("action=copying"), "{event:?}");
            assert!(
                event
                    .text
                    .contains("message=copying not completed after 0."),
                "{event:?}"
            );
            assert!(event.seconds("elapsed_seconds") >= SOON.as_secs_f64());
        }
        assert!(events.try_recv().is_err(), "each was reported once");
    });
}

#[test]
fn an_action_that_is_quick_is_not_told() {
    listening(Level::TRACE, |events| {
        let long = watchdog::watch("long").after(SOON * 5).start();
        for _ in 0..100 {
            assert_eq!(watchdog::watch("quick").after(SOON * 5).run(|| 7), 7);
        }
        let event = events.recv_timeout(DEADLINE).unwrap();
        drop(long);
        let others: Vec<Reported> = events.try_iter().collect();
        assert!(event.text.contains("action=long"), "{event:?} {others:?}");
    });
}

#[test]
fn nobody_listens_and_nothing_is_told() {
    listening(Level::WARN, |events| {
        let _unheard = watchdog::watch("debug").after(Duration::ZERO).start();
        let warn = watchdog::watch("warn").level(Level::WARN).after(SOON);
        let _heard = warn.start();
        let event = events.recv_timeout(DEADLINE).unwrap();
        assert!(event.text.contains("action=warn"), "{event:?}");
    });
}

#[test]
fn a_forked_child_watches_for_itself_and_not_for_its_parent() {
    use nix::sys::wait::{WaitStatus, waitpid};
    use nix::unistd::{ForkResult, fork};
    let child = || {
        listening(Level::TRACE, |events| {
            let _watch = watchdog::watch("child").after(SOON).start();
            let event = events.recv_timeout(DEADLINE).unwrap();
            assert!(event.text.contains("action=child"), "{event:?}");
        });
    };
    listening(Level::TRACE, |events| {
        let inherited = watchdog::watch("parent").after(SOON * 5).start();
        // SAFETY: the child runs its part alone and leaves by _exit.
        match unsafe { fork() }.unwrap() {
            ForkResult::Child => {
                // SAFETY: ends a child that hangs.
                unsafe { nix::libc::alarm(60) };
                let run = std::panic::AssertUnwindSafe(|| {
                    drop(inherited);
                    child();
                });
                let failed = std::panic::catch_unwind(run).is_err();
                // SAFETY: takes any number.
                unsafe { nix::libc::_exit(i32::from(failed)) }
            }
            ForkResult::Parent { child } => {
                assert_eq!(waitpid(child, None), Ok(WaitStatus::Exited(child, 0)));
                let event = events.recv_timeout(DEADLINE).unwrap();
                assert!(event.text.contains("action=parent"), "{event:?}");
                drop(inherited);
            }
        }
    });
}

/// Calls `0` with each event of this library.
struct Calls<F>(F);

impl<S: Subscriber, F: Fn(&Event<'_>) + 'static> Layer<S> for Calls<F> {
    fn on_event(&self, event: &Event<'_>, _: Context<'_, S>) {
        (self.0)(event);
    }
}

/// Runs `run` in a thread, with a subscriber that calls `on_event`. A thread that hangs fails the
/// test.
fn in_a_thread_with<T: Send + 'static>(
    on_event: impl Fn(&Event<'_>) + Send + Sync + 'static,
    run: impl FnOnce() -> T + Send + 'static,
) -> Receiver<T> {
    let (send, outcome) = channel();
    std::thread::spawn(move || {
        let filter = tracing_subscriber::filter::LevelFilter::WARN;
        let calls = Calls(on_event).with_filter(filter);
        let subscriber = tracing_subscriber::registry().with(calls);
        let _ = send.send(tracing::subscriber::with_default(subscriber, run));
    });
    outcome
}

#[test]
fn dropping_a_watch_does_not_wait_for_a_subscriber_that_needs_what_the_action_has_locked() {
    let (begun, is_begun) = channel();
    let writes_to_stdout = move |_: &Event<'_>| {
        begun.send(()).unwrap();
        use std::io::Write as _;
        let _ = writeln!(std::io::stdout().lock(), "not completed");
    };
    // In a process of its own: with standard output locked forever, this one could not even report
    // that the test has failed.
    use nix::sys::wait::{WaitStatus, waitpid};
    use nix::unistd::{ForkResult, fork};
    // SAFETY: the child runs its part alone and leaves by _exit.
    match unsafe { fork() }.unwrap() {
        ForkResult::Child => {
            let done = in_a_thread_with(writes_to_stdout, move || {
                let stdout = std::io::stdout().lock();
                let watch = watchdog::watch("printing").level(Level::WARN).after(SOON);
                let watch = watch.start();
                is_begun.recv().unwrap();
                drop(watch);
                drop(stdout);
            });
            let done = done.recv_timeout(DEADLINE).is_ok();
            // SAFETY: takes any number.
            unsafe { nix::libc::_exit(i32::from(!done)) }
        }
        ForkResult::Parent { child } => {
            assert_eq!(waitpid(child, None), Ok(WaitStatus::Exited(child, 0)));
        }
    }
}

#[test]
fn a_subscriber_that_panics_does_not_silence_the_others() {
    let (send, events) = channel();
    let broken = in_a_thread_with(
        move |_| {
            send.send(()).unwrap();
            panic!("a broken subscriber");
        },
        move || {
            let watch = watchdog::watch("broken").level(Level::WARN).after(SOON);
            let _watch = watch.start();
            events.recv_timeout(DEADLINE)
        },
    );
    assert_eq!(broken.recv_timeout(DEADLINE), Ok(Ok(())));
    listening(Level::WARN, |events| {
        let watch = watchdog::watch("whole").level(Level::WARN).after(SOON);
        let _watch = watch.start();
        let event = events.recv_timeout(DEADLINE).unwrap();
        assert!(event.text.contains("action=whole"), "{event:?}");
    });
}

/// A subscriber that panics at each warning about a long wait; `release` ends the wait after two of
/// these.
fn waits_beside_a_broken_subscriber<T: Send + 'static>(
    wait: impl FnOnce() -> T + Send + 'static,
    release: impl FnOnce(),
) -> T {
    let (send, events) = channel();
    let outcome = in_a_thread_with(
        move |_| {
            let _ = send.send(());
            panic!("a broken subscriber");
        },
        wait,
    );
    for _ in 0..2 {
        events
            .recv_timeout(DEADLINE)
            .expect("the wait continues and is reported again");
    }
    release();
    outcome
        .recv_timeout(DEADLINE)
        .expect("the lock is acquired")
}

#[test]
fn a_wait_for_a_thread_outlives_a_subscriber_that_panics() {
    let guard = lockutils::lock("broken-1").acquire().unwrap();
    waits_beside_a_broken_subscriber(
        || {
            lockutils::lock("broken-1")
                .warn_after(SOON)
                .run(|| ())
                .unwrap()
        },
        || drop(guard),
    );
    let free = lockutils::lock("broken-1").blocking(false).acquire();
    drop(free.expect("it was released"));
}

#[test]
fn a_wait_for_a_process_outlives_a_subscriber_that_panics() {
    let directory = tempfile::tempdir().unwrap();
    let stranger = locked_by_a_stranger(&directory.path().join("broken-2"));
    let path = directory.path().to_owned();
    waits_beside_a_broken_subscriber(
        move || {
            let lock = lockutils::lock("broken-2").external(true);
            lock.lock_path(&path).warn_after(SOON).run(|| ()).unwrap();
        },
        || drop(stranger),
    );
    drop(locked_by_a_stranger(&directory.path().join("broken-2")));
}

/// Another thread holds `name` until `count` events have reported a `wait` for it; returns the
/// events.
fn events_of_a_thread(name: &'static str, count: usize, wait: impl FnOnce()) -> Vec<Reported> {
    let (taken, is_taken) = channel();
    let (release, released) = channel::<()>();
    let holder = std::thread::Builder::new().name("the-holder".into());
    let holder = holder
        .spawn(move || {
            let _guard = lockutils::lock(name).acquire().unwrap();
            taken.send(()).unwrap();
            released.recv().unwrap();
        })
        .unwrap();
    is_taken.recv().unwrap();
    let events = release_after_events(count, move || release.send(()).unwrap(), wait);
    holder.join().unwrap();
    events
}

/// Runs `wait` here, and `release` elsewhere once there were `count` events.
fn release_after_events(
    count: usize,
    release: impl FnOnce() + Send,
    wait: impl FnOnce(),
) -> Vec<Reported> {
    let (send, events) = channel();
    std::thread::scope(|scope| {
        let events = scope.spawn(move || {
            let events = (0..count).map(|_| events.recv_timeout(DEADLINE).expect("it is reported"));
            let events = events.collect();
            release();
            events
        });
        tracing::subscriber::with_default(subscriber(send, Level::WARN), wait);
        events.join().unwrap()
    })
}

#[test]
fn a_long_wait_for_a_thread_names_it_at_growing_intervals() {
    let events = events_of_a_thread("thread", 3, || {
        let lock = lockutils::lock("thread").warn_after(SOON);
        lock.run(|| ()).unwrap();
    });
    for (event, least) in events.iter().zip([1, 2, 4]) {
        assert_eq!(event.level, Level::WARN);
        assert!(event.text.contains("lock=thread"), "{event:?}");
        assert!(
            event.text.contains("(the-holder) of this process"),
            "{event:?}"
        );
        let waited = event.seconds("waited_seconds");
        assert!(waited >= least as f64 * SOON.as_secs_f64(), "{event:?}");
    }
}

/// Locks as another process would.
fn locked_by_a_stranger(path: &std::path::Path) -> std::fs::File {
    let mut options = OpenOptions::new();
    options.create(true).truncate(false).read(true).write(true);
    let file = options.open(path).unwrap();
    let request = nix::libc::flock {
        l_type: nix::libc::F_WRLCK as i16,
        l_whence: 0,
        l_start: 0,
        l_len: 0,
        l_pid: 0,
    };
    fcntl(&file, FcntlArg::F_OFD_SETLK(&request)).unwrap();
    file
}

#[test]
fn a_long_wait_for_a_process_names_it_and_the_wait_goes_on() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("cache-5");
    for fair in [false, true] {
        let stranger = locked_by_a_stranger(&path);
        let events = release_after_events(
            2,
            || drop(stranger),
            || {
                let lock = lockutils::lock("cache-5").external(true).fair(fair);
                lock.lock_path(&directory)
                    .warn_after(SOON)
                    .run(|| ())
                    .unwrap();
            },
        );
        let process = format!("held_by=process {}: ", std::process::id());
        for event in events {
            assert!(event.text.contains(&process), "{event:?}");
            assert!(event.text.contains("running for"), "{event:?}");
            assert!(event.text.contains(&*path.to_string_lossy()), "{event:?}");
        }
    }
}

#[test]
fn a_timed_wait_is_told_and_still_ends_at_its_deadline() {
    let directory = tempfile::tempdir().unwrap();
    let _stranger = locked_by_a_stranger(&directory.path().join("timed"));
    let mut timeout = SOON * 10;
    listening(Level::WARN, |events| {
        // On a slow machine the thread may sleep past both moments, or look for the holder until
        // the wait is over.
        let give_up = Instant::now() + DEADLINE;
        while events.try_recv().is_err() {
            let began = Instant::now();
            let lock = lockutils::lock("timed")
                .external(true)
                .lock_path(&directory);
            let late = lock.timeout(timeout).warn_after(SOON).acquire();
            assert!(matches!(late, Err(Error::Timeout { .. })));
            assert!(began.elapsed() >= timeout);
            assert!(began < give_up, "it is never reported");
            timeout *= 2;
        }
    });
}

#[test]
fn a_wait_may_be_silent() {
    let directory = tempfile::tempdir().unwrap();
    let _stranger = locked_by_a_stranger(&directory.path().join("cache-7"));
    listening(Level::WARN, |events| {
        let lock = lockutils::lock("cache-7")
            .external(true)
            .lock_path(&directory);
        for silent in [Duration::MAX, DEADLINE * 10] {
            let late = lock.timeout(SOON * 5).warn_after(silent).acquire();
            assert!(matches!(late, Err(Error::Timeout { .. })));
        }
        assert!(events.try_recv().is_err());
    });
}

#[cfg(feature = "tokio")]
mod tasks {
    use super::*;

    fn block_on<F: Future>(future: F) -> F::Output {
        let runtime = tokio::runtime::Builder::new_current_thread().build();
        runtime.unwrap().block_on(future)
    }

    #[test]
    fn a_long_wait_of_a_task_for_a_thread_is_told() {
        let events = events_of_a_thread("task", 3, || {
            let lock = lockutils::lock("task").warn_after(SOON);
            block_on(lock.acquire_async()).unwrap().release();
        });
        for (event, least) in events.iter().zip([1, 2, 4]) {
            assert!(
                event.text.contains("(the-holder) of this process"),
                "{event:?}"
            );
            assert!(event.seconds("waited_seconds") >= least as f64 * SOON.as_secs_f64());
        }
    }

    #[test]
    fn a_long_wait_of_a_task_for_a_process_is_told_and_ends_with_the_wait() {
        let directory = tempfile::tempdir().unwrap();
        let stranger = locked_by_a_stranger(&directory.path().join("cache-9"));
        let events = release_after_events(
            2,
            || drop(stranger),
            || {
                let lock = lockutils::lock("cache-9")
                    .external(true)
                    .lock_path(&directory);
                block_on(lock.warn_after(SOON).acquire_async())
                    .unwrap()
                    .release();
            },
        );
        let process = format!("held_by=process {}: ", std::process::id());
        assert!(
            events.iter().all(|event| event.text.contains(&process)),
            "{events:?}"
        );
    }

    #[test]
    fn a_wait_of_a_task_outlives_a_subscriber_that_panics_and_is_told_of_again() {
        let guard = lockutils::lock("broken-3").acquire().unwrap();
        waits_beside_a_broken_subscriber(
            || {
                let lock = lockutils::lock("broken-3").warn_after(SOON);
                block_on(lock.acquire_async()).unwrap().release();
            },
            || drop(guard),
        );
    }

    #[test]
    fn a_wait_for_a_task_says_so() {
        let guard = block_on(lockutils::lock("by-a-task").acquire_async()).unwrap();
        let events = release_after_events(
            1,
            move || drop(guard),
            || {
                lockutils::lock("by-a-task")
                    .warn_after(SOON)
                    .run(|| ())
                    .unwrap();
            },
        );
        assert!(
            events[0]
                .text
                .contains("held_by=an asynchronous task of this process"),
            "{events:?}"
        );
    }
}
