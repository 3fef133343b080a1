//! Waits with a time limit in programs that use signals for purposes of their own.
//!
//! Dispositions of signals belong to the whole process, so each trial runs in a forked child.

#![cfg(target_os = "linux")] // signals and limits of Linux

use std::fs::{self, File, OpenOptions};
use std::path::Path;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::mpsc::channel;
use std::thread;
use std::time::{Duration, Instant};

use nix::fcntl::{FcntlArg, fcntl};
use nix::libc;
use nix::sys::wait::{WaitStatus, waitpid};
use nix::unistd::{ForkResult, fork};
use oslo_concurrency::lockutils::{self, Error, LockOptions};
use tracing::{Event, Subscriber};
use tracing_subscriber::layer::{Context, Layer, SubscriberExt};

/// The limit of every wait in a trial, longer than any event takes on a loaded machine.
const DEADLINE: libc::c_uint = 60;
/// Long enough to disturb a wait before it ends.
const LONG: Duration = Duration::from_millis(700);

/// Runs `trial` in a child with this thread alone. A child that hangs is ended by SIGALRM.
fn in_a_child(trial: impl FnOnce()) {
    // SAFETY: the child runs its part in its only thread and leaves by _exit.
    match unsafe { fork() }.unwrap() {
        ForkResult::Child => {
            // SAFETY: takes any number.
            unsafe { libc::alarm(DEADLINE) };
            let failed = std::panic::catch_unwind(std::panic::AssertUnwindSafe(trial)).is_err();
            // SAFETY: takes any number.
            unsafe { libc::_exit(i32::from(failed)) }
        }
        ForkResult::Parent { child } => {
            assert_eq!(waitpid(child, None), Ok(WaitStatus::Exited(child, 0)));
        }
    }
}

/// Runs `trial` in a new process that never had a second thread: a forked child would reuse the
/// stacks of its parent's threads.
fn in_a_new_process(test: &str, trial: impl FnOnce()) {
    const MARK: &str = "LOCKUTILS_TEST_ALONE";
    if std::env::var_os(MARK).is_some_and(|marked| marked == test) {
        // SAFETY: takes any number.
        unsafe { libc::alarm(DEADLINE) };
        return trial();
    }
    let mut again = std::process::Command::new(std::env::current_exe().unwrap());
    again
        .args(["--exact", test, "--test-threads=1"])
        .env(MARK, test);
    let output = again.output().unwrap();
    assert!(output.status.success(), "{output:?}");
}

/// Locks as another process would.
fn locked_by_a_stranger(path: &Path) -> File {
    let mut options = OpenOptions::new();
    options.create(true).truncate(false).read(true).write(true);
    let file = options.open(path).unwrap();
    let request = libc::flock {
        l_type: libc::F_WRLCK as i16,
        l_whence: 0,
        l_start: 0,
        l_len: 0,
        l_pid: 0,
    };
    fcntl(&file, FcntlArg::F_OFD_SETLK(&request)).unwrap();
    file
}

/// Size of this process's address space in bytes.
fn address_space() -> libc::rlim_t {
    let sizes = fs::read_to_string("/proc/self/statm").unwrap();
    let pages: libc::rlim_t = sizes.split(' ').next().unwrap().parse().unwrap();
    // SAFETY: returns a constant of the system.
    pages * unsafe { libc::sysconf(libc::_SC_PAGESIZE) } as libc::rlim_t
}

fn external<'a>(directory: &'a tempfile::TempDir) -> LockOptions<'a> {
    lockutils::lock("x").external(true).lock_path(directory)
}

fn real_time_signals() -> impl Iterator<Item = libc::c_int> {
    libc::SIGRTMIN()..=libc::SIGRTMAX()
}

fn set_of(signals: impl Iterator<Item = libc::c_int>) -> libc::sigset_t {
    let mut set = std::mem::MaybeUninit::uninit();
    // SAFETY: sigemptyset initialises the set before any other use.
    unsafe {
        libc::sigemptyset(set.as_mut_ptr());
        for signal in signals {
            libc::sigaddset(set.as_mut_ptr(), signal);
        }
        set.assume_init()
    }
}

fn action_of(signal: libc::c_int) -> libc::sigaction {
    let mut action = std::mem::MaybeUninit::<libc::sigaction>::zeroed();
    // SAFETY: without a new action the call only fills the structure.
    unsafe {
        libc::sigaction(signal, std::ptr::null(), action.as_mut_ptr());
        action.assume_init()
    }
}

fn handle(signal: libc::c_int, handler: libc::sighandler_t, flags: libc::c_int) {
    // SAFETY: all zeroes is a valid sigaction, and the handlers of this file only count.
    unsafe {
        let mut action: libc::sigaction = std::mem::zeroed();
        action.sa_sigaction = handler;
        action.sa_flags = flags;
        assert_eq!(libc::sigaction(signal, &action, std::ptr::null_mut()), 0);
    }
}

static COUNTED: AtomicUsize = AtomicUsize::new(0);

extern "C" fn count(_signal: libc::c_int) {
    COUNTED.fetch_add(1, Ordering::SeqCst);
}

/// Waits until thread `tid` of this process sleeps in fcntl(2).
fn until_it_sleeps(tid: libc::pid_t) {
    let call = format!("{} ", libc::SYS_fcntl);
    loop {
        let now = fs::read_to_string(format!("/proc/self/task/{tid}/syscall")).unwrap();
        if now.starts_with(&call) {
            return;
        }
        thread::yield_now();
    }
}

/// Runs `meanwhile` once a thread waits for the held lock. The wait must end at its deadline.
fn gives_up_in_time(meanwhile: impl FnOnce()) {
    let directory = tempfile::tempdir().unwrap();
    let _stranger = locked_by_a_stranger(&directory.path().join("x"));
    let (send, tids) = channel();
    thread::scope(|scope| {
        let waiter = scope.spawn(|| {
            // SAFETY: gettid(2) cannot fail.
            send.send(unsafe { libc::gettid() }).unwrap();
            let asked = Instant::now();
            let outcome = external(&directory).timeout(LONG).acquire().map(drop);
            assert!(matches!(outcome, Err(Error::Timeout { .. })), "{outcome:?}");
            assert!(asked.elapsed() >= LONG);
        });
        until_it_sleeps(tids.recv().unwrap());
        meanwhile();
        waiter.join().unwrap();
    });
}

/// The signals with a handler: those of this library, because the trials install none before.
fn handled() -> Vec<libc::c_int> {
    real_time_signals()
        .filter(|signal| ![libc::SIG_DFL, libc::SIG_IGN].contains(&action_of(*signal).sa_sigaction))
        .collect()
}

/// The library has used its signal before.
fn after_a_first_wait() {
    let directory = tempfile::tempdir().unwrap();
    let _stranger = locked_by_a_stranger(&directory.path().join("x"));
    let outcome = external(&directory)
        .timeout(Duration::from_millis(1))
        .acquire();
    assert!(matches!(outcome, Err(Error::Timeout { .. })), "{outcome:?}");
}

#[test]
fn a_handler_with_sa_restart_that_is_set_during_the_wait_does_not_keep_it_waiting() {
    in_a_child(|| {
        after_a_first_wait();
        gives_up_in_time(|| {
            for signal in handled() {
                handle(signal, count as *const () as _, libc::SA_RESTART);
            }
        });
        assert_eq!(
            COUNTED.load(Ordering::SeqCst),
            0,
            "the program's own handler was called"
        );
    });
}

#[test]
fn the_default_action_that_is_set_during_the_wait_does_not_end_the_process() {
    in_a_child(|| {
        after_a_first_wait();
        gives_up_in_time(|| {
            for signal in handled() {
                handle(signal, libc::SIG_DFL, 0);
            }
        });
    });
}

#[test]
fn signals_that_are_ignored_during_the_wait_are_not_relied_on() {
    in_a_child(|| {
        after_a_first_wait();
        gives_up_in_time(|| {
            for signal in handled() {
                handle(signal, libc::SIG_IGN, 0);
            }
        });
    });
}

/// siginterrupt(3) adds the flag to the existing handler.
#[test]
fn a_handler_of_ours_that_somebody_makes_restart_is_made_to_interrupt_again() {
    in_a_child(|| {
        after_a_first_wait();
        gives_up_in_time(|| {
            for signal in handled() {
                let mut action = action_of(signal);
                action.sa_flags |= libc::SA_RESTART;
                // SAFETY: the action is the current one with another flag.
                unsafe { libc::sigaction(signal, &action, std::ptr::null_mut()) };
            }
        });
    });
}

/// Every thread blocks all real-time signals, and one of them accepts some with sigtimedwait(2):
/// those that the library would choose first.
#[test]
fn signals_that_the_program_waits_for_are_neither_lost_nor_changed() {
    in_a_child(|| {
        let all = set_of(real_time_signals());
        // SAFETY: the set is initialised.
        unsafe { libc::pthread_sigmask(libc::SIG_BLOCK, &all, std::ptr::null_mut()) };
        let directory = tempfile::tempdir().unwrap();
        let _stranger = locked_by_a_stranger(&directory.path().join("x"));
        let over = AtomicBool::new(false);
        let mut sent = Vec::new();
        thread::scope(|scope| {
            scope.spawn(|| {
                for _ in 0..5 {
                    let timeout = Duration::from_millis(20);
                    let outcome = external(&directory).timeout(timeout).acquire();
                    assert!(matches!(outcome, Err(Error::Timeout { .. })), "{outcome:?}");
                }
                over.store(true, Ordering::SeqCst);
            });
            while !over.load(Ordering::SeqCst) && sent.len() < 10_000 {
                for signal in libc::SIGRTMAX() - 4..=libc::SIGRTMAX() {
                    let value = libc::sigval {
                        sival_ptr: std::ptr::without_provenance_mut(sent.len()),
                    };
                    // SAFETY: plain numbers.
                    assert_eq!(unsafe { libc::sigqueue(libc::getpid(), signal, value) }, 0);
                    sent.push((signal, sent.len()));
                }
                thread::yield_now();
            }
        });
        let mut received = Vec::new();
        let at_once = libc::timespec {
            tv_sec: 0,
            tv_nsec: 0,
        };
        loop {
            let mut info = std::mem::MaybeUninit::<libc::siginfo_t>::zeroed();
            // SAFETY: the set is initialised, and the call fills `info` if it succeeds.
            let (signal, info) = unsafe {
                let signal = libc::sigtimedwait(&all, info.as_mut_ptr(), &at_once);
                (signal, info.assume_init())
            };
            if signal < 0 {
                break;
            }
            assert_eq!(info.si_code, libc::SI_QUEUE);
            // SAFETY: a signal of sigqueue carries a value.
            received.push((signal, unsafe { info.si_value() }.sival_ptr.addr()));
        }
        received.sort();
        sent.sort();
        assert_eq!(received.len(), sent.len(), "signals are missing");
        assert!(received == sent);
    });
}

#[test]
fn a_signal_that_this_thread_blocks_is_not_chosen() {
    in_a_child(|| {
        let own = libc::SIGRTMAX() - 1;
        let set = set_of([own].into_iter());
        // SAFETY: the set is initialised.
        unsafe { libc::pthread_sigmask(libc::SIG_BLOCK, &set, std::ptr::null_mut()) };
        after_a_first_wait();
        assert_eq!(action_of(own).sa_sigaction, libc::SIG_DFL);
    });
}

struct Interrupted(std::sync::mpsc::Sender<libc::c_int>);

impl<S: Subscriber> Layer<S> for Interrupted {
    fn on_event(&self, event: &Event<'_>, _: Context<'_, S>) {
        if *event.metadata().level() == tracing::Level::WARN {
            // SAFETY: waits for no descriptor.
            let outcome = unsafe { libc::poll(std::ptr::null_mut(), 0, 20) };
            let _ = self.0.send(outcome);
        }
    }
}

#[test]
fn the_system_calls_of_a_subscriber_are_not_interrupted() {
    let directory = tempfile::tempdir().unwrap();
    let stranger = locked_by_a_stranger(&directory.path().join("x"));
    let (send, outcomes) = channel();
    std::thread::scope(|scope| {
        let waiter = scope.spawn(|| {
            let subscriber = tracing_subscriber::registry().with(Interrupted(send));
            tracing::subscriber::with_default(subscriber, || {
                let lock = external(&directory).warn_after(Duration::from_millis(1));
                lock.timeout(Duration::from_secs(DEADLINE.into()))
                    .acquire()
                    .map(drop)
            })
        });
        for _ in 0..2 {
            assert_eq!(
                outcomes.recv_timeout(Duration::from_secs(DEADLINE.into())),
                Ok(0)
            );
        }
        drop(stranger);
        waiter.join().unwrap().unwrap();
    });
}

#[test]
fn a_wait_that_cannot_be_timed_is_not_blamed_on_the_file_system() {
    in_a_child(|| {
        for signal in real_time_signals() {
            handle(signal, count as *const () as _, 0);
        }
        let directory = tempfile::tempdir().unwrap();
        let stranger = locked_by_a_stranger(&directory.path().join("x"));
        let timed = external(&directory).timeout(Duration::from_millis(1));
        let error = timed.acquire().unwrap_err();
        let message = error.to_string();
        assert!(matches!(error, Error::TimerUnavailable { .. }), "{error:?}");
        assert!(message.contains("real-time signal"), "{message}");
        assert!(!message.contains("file system"), "{message}");
        drop(stranger);
        drop(timed.acquire().expect("nothing has to be timed"));
    });
}

#[test]
fn a_thread_that_cannot_be_started_is_not_blamed_on_the_file_system() {
    in_a_new_process(
        "a_thread_that_cannot_be_started_is_not_blamed_on_the_file_system",
        || {
            let directory = tempfile::tempdir().unwrap();
            let _stranger = locked_by_a_stranger(&directory.path().join("x"));
            // Less than the stack of a thread, but enough for other allocations meanwhile.
            let tight = libc::rlimit {
                rlim_cur: address_space() + (1 << 20),
                rlim_max: libc::RLIM_INFINITY,
            };
            // SAFETY: the structure is initialised.
            assert_eq!(unsafe { libc::setrlimit(libc::RLIMIT_AS, &tight) }, 0);
            let outcome = external(&directory)
                .timeout(Duration::from_millis(1))
                .acquire();
            let lifted = libc::rlimit {
                rlim_cur: libc::RLIM_INFINITY,
                ..tight
            };
            // SAFETY: as above.
            unsafe { libc::setrlimit(libc::RLIMIT_AS, &lifted) };
            let error = outcome.unwrap_err();
            assert!(matches!(error, Error::TimerUnavailable { .. }), "{error:?}");
            assert!(error.to_string().contains("thread"), "{error}");
        },
    );
}
