//! Locks that are acquired while the thread-local values of a thread are being destroyed. A panic
//! there aborts the process.

use std::cell::RefCell;
use std::path::PathBuf;
use std::sync::mpsc::{Sender, channel};
use std::thread;

use oslo_concurrency::lockutils::scope::LockPathScope;
use oslo_concurrency::lockutils::{self, Error};

type Work = Box<dyn FnOnce() -> Result<(), Error> + Send>;

/// Runs a function at the end of its thread, and sends the result.
struct AtTheEnd(Work, Sender<Result<(), Error>>);

impl Drop for AtTheEnd {
    fn drop(&mut self) {
        let work = std::mem::replace(&mut self.0, Box::new(|| Ok(())));
        self.1.send(work()).unwrap();
    }
}

thread_local!(static AT_THE_END: RefCell<Option<AtTheEnd>> = const { RefCell::new(None) });

/// Runs `work` in a destructor of a thread that has run `before`, once before and once after it has
/// registered the destructor: values are destroyed in the order of their first use, or in reverse.
fn at_the_end_of_a_thread(before: fn(PathBuf), work: fn(PathBuf) -> Result<(), Error>) {
    for registered_first in [true, false] {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().to_owned();
        let (send, outcome) = channel();
        let thread = thread::spawn(move || {
            let for_work = path.clone();
            let at_the_end = AtTheEnd(Box::new(move || work(for_work)), send);
            if registered_first {
                AT_THE_END.set(Some(at_the_end));
                before(path);
            } else {
                before(path);
                AT_THE_END.set(Some(at_the_end));
            }
        });
        thread.join().unwrap();
        outcome.recv().unwrap().unwrap();
    }
}

fn lock(path: PathBuf) -> Result<(), Error> {
    let lock = lockutils::lock("x").external(true);
    lock.lock_path(&path).run(|| ())
}

/// With the path of the scope, not of an option.
fn lock_in_a_scope(path: PathBuf) -> Result<(), Error> {
    let scope = LockPathScope::enter(&path);
    assert!(LockPathScope::is_entered());
    lockutils::lock("x").external(true).run(|| ())?;
    drop(scope);
    assert!(path.join("x").exists());
    assert!(!LockPathScope::is_entered());
    Ok(())
}

#[test]
fn an_external_lock() {
    at_the_end_of_a_thread(|path| lock(path).unwrap(), lock);
}

#[test]
fn an_external_lock_for_the_first_time() {
    at_the_end_of_a_thread(|_| (), lock);
}

#[test]
fn an_external_lock_in_a_scope() {
    at_the_end_of_a_thread(|path| lock_in_a_scope(path).unwrap(), lock_in_a_scope);
}

#[test]
fn a_scope_that_ends_with_its_thread() {
    at_the_end_of_a_thread(
        |path| {
            thread_local! {
                static SCOPE: RefCell<Option<LockPathScope>> = const { RefCell::new(None) };
            }
            SCOPE.set(Some(LockPathScope::enter(path)));
        },
        lock,
    );
}

#[cfg(feature = "tokio")]
mod tasks {
    use super::*;
    use std::task::{Context, Poll, Waker};

    /// Also detects that the section requests its own lock.
    fn lock_twice(path: PathBuf) -> Result<(), Error> {
        // Tokio's runtime can no longer be entered, but nothing here has to wait. The other tests
        // of this process hold "x" now and then.
        let mut locked = std::pin::pin!(async {
            let lock = || {
                lockutils::lock("x-of-tasks")
                    .external(true)
                    .lock_path(&path)
            };
            let again = lock().run_async(|| async { lock().acquire_async().await });
            assert!(matches!(again.await?, Err(Error::WouldDeadlock { .. })));
            Ok(())
        });
        match locked
            .as_mut()
            .poll(&mut Context::from_waker(Waker::noop()))
        {
            Poll::Ready(outcome) => outcome,
            Poll::Pending => panic!("it does not have to wait"),
        }
    }

    #[test]
    fn an_asynchronous_lock() {
        at_the_end_of_a_thread(|path| lock_twice(path).unwrap(), lock_twice);
    }
}
