//! A value that is created once, without a lock.

use std::marker::PhantomData;
use std::ptr;
use std::sync::atomic::{AtomicPtr, Ordering};

/// The contents of a cell that is filled through a shared reference. As with `OnceLock`, sharing it
/// needs a value that is `Send`, because another thread may fill or drop it, and `Sync`.
pub(crate) type Owned<T> = (T, std::sync::Mutex<T>);

/// A value that is created when it is first needed, and that a forked child keeps. Creating it
/// takes no lock, so a forked child never inherits a locked one.
#[derive(Debug)]
pub(crate) struct OnceBox<T> {
    value: AtomicPtr<T>,
    _owned: PhantomData<Owned<T>>,
}

impl<T> OnceBox<T> {
    pub(crate) const fn new() -> Self {
        OnceBox {
            value: AtomicPtr::new(ptr::null_mut()),
            _owned: PhantomData,
        }
    }

    /// The value; `make` makes it if it is missing. If two threads race, one of their values is
    /// dropped.
    pub(crate) fn get_or_make(&self, make: impl FnOnce() -> T) -> &T {
        // SAFETY: only `drop`, which has exclusive access, frees a published value.
        match unsafe { self.value.load(Ordering::Acquire).as_ref() } {
            Some(value) => value,
            None => self.publish(make()),
        }
    }

    #[cold]
    fn publish(&self, value: T) -> &T {
        let fresh = Box::into_raw(Box::new(value));
        let outcome = self.value.compare_exchange(
            ptr::null_mut(),
            fresh,
            Ordering::AcqRel,
            Ordering::Acquire,
        );
        match outcome {
            // SAFETY: just published, see `get_or_make`.
            Ok(_) => unsafe { &*fresh },
            Err(winner) => {
                // SAFETY: `fresh` was not published: no other thread has seen it.
                drop(unsafe { Box::from_raw(fresh) });
                // SAFETY: the winner was published by another thread, see `get_or_make`.
                unsafe { &*winner }
            }
        }
    }
}

impl<T> Drop for OnceBox<T> {
    fn drop(&mut self) {
        let value = *self.value.get_mut();
        if !value.is_null() {
            // SAFETY: access is exclusive; the value came from `Box::into_raw`.
            drop(unsafe { Box::from_raw(value) });
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::Arc;

    #[test]
    fn it_is_made_once_and_dropped_once() {
        let made = Arc::new(());
        let value: OnceBox<Arc<()>> = OnceBox::new();
        std::thread::scope(|scope| {
            for _ in 0..4 {
                scope.spawn(|| assert!(Arc::ptr_eq(value.get_or_make(|| made.clone()), &made)));
            }
        });
        assert_eq!(Arc::strong_count(&made), 2);
        drop(value);
        assert_eq!(Arc::strong_count(&made), 1);
    }
}
