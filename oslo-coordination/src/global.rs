//! The coordinator of the program, for functions that name none.

use std::sync::{Mutex, PoisonError};

use crate::{Coordinator, Error};

static GLOBAL: Mutex<Option<Global>> = Mutex::new(None);

#[derive(Debug)]
struct Global {
    coordinator: Coordinator,
    /// Connected by [`Coordinator::global`], which may do so again in a forked child.
    from_env: bool,
}

impl Coordinator {
    /// Makes this the coordinator of the program, which [`global`](Self::global) returns and
    /// `#[synchronized]` uses by default.
    ///
    /// ```
    /// use oslo_coordination::{Coordinator, synchronized};
    ///
    /// #[synchronized("{id}-delete")]
    /// fn delete(id: u32) -> Result<(), oslo_coordination::Error> {
    ///     Ok(()) // holds the lock `cinder-7-delete`
    /// }
    ///
    /// # let directory = tempfile::tempdir().unwrap();
    /// # let conf = directory.path().join("cinder.conf");
    /// # std::fs::write(&conf, format!(
    /// #     "[coordination]\nbackend_url = file://{}\n", directory.path().display()
    /// # )).unwrap();
    /// // For example /etc/cinder/cinder.conf
    /// Coordinator::from_ini(&conf)?.with_prefix("cinder").make_global();
    /// delete(7)?;
    /// # Ok::<(), oslo_coordination::Error>(())
    /// ```
    pub fn make_global(&self) {
        set(self.clone(), false);
    }

    /// The coordinator of the program: the one of [`make_global`](Self::make_global), or else one
    /// that the first call connects as [`from_env`](Self::from_env) does.
    ///
    /// # Errors
    /// The same as [`from_env`](Self::from_env).
    pub fn global() -> Result<Coordinator, Error> {
        if let Some(global) = &*lock() {
            let is_ours = !global.coordinator.is_inherited() || !global.from_env;
            if is_ours {
                return Ok(global.coordinator.clone());
            }
        }
        // Not under the mutex: other threads may have a coordinator of their own.
        let connected = Coordinator::from_env()?;
        Ok(set(connected, true))
    }
}

fn lock() -> std::sync::MutexGuard<'static, Option<Global>> {
    GLOBAL.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Sets the coordinator. One that another thread has connected meanwhile stays.
fn set(coordinator: Coordinator, from_env: bool) -> Coordinator {
    let mut global = lock();
    match &*global {
        Some(current) if from_env && !current.coordinator.is_inherited() => {
            return current.coordinator.clone();
        }
        _ => {}
    }
    *global = Some(Global {
        coordinator: coordinator.clone(),
        from_env,
    });
    coordinator
}
