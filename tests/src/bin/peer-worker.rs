//! Workers for locks from crates.io, for the zoo: a few lines of the line protocol each.

use std::error::Error;
use std::fs::{File, OpenOptions};
use std::io;
use std::path::{Path, PathBuf};

use lockutils_harness::protocol::serve::{Slot, serve};
use lockutils_harness::protocol::{Capability, Verb};

type Outcome<T> = Result<T, Box<dyn Error>>;

fn main() -> Outcome<()> {
    let directory = PathBuf::from(std::env::var("LOCKUTILS_DIR")?);
    let path = directory.join(std::env::var("LOCKUTILS_NAME")?);
    let offers = [Capability::Threads, Capability::Reopen];
    match std::env::args().nth(1).as_deref() {
        Some("std") => serve(&offers, move |_| Std {
            file: open(&path),
            path: path.clone(),
        })?,
        Some("fslock") => serve(&offers, move |_| Fslock {
            file: None,
            path: path.clone(),
        })?,
        Some("fd-lock") => serve(&offers, move |_| FdLock {
            lock: None,
            held: None,
            path: path.clone(),
        })?,
        Some("named-lock") => serve(&offers, move |_| Named {
            held: None,
            path: path.clone(),
        })?,
        Some("pidlock") => serve(&[], move |_| Pid {
            lock: None,
            path: path.clone(),
        })?,
        other => return Err(format!("there is no lock {other:?}").into()),
    }
    Ok(())
}

fn open(path: &Path) -> io::Result<File> {
    OpenOptions::new()
        .read(true)
        .write(true)
        .create(true)
        .truncate(false)
        .open(path)
}

fn reopen(path: &Path, verb: Verb) -> Option<Outcome<()>> {
    (verb == Verb::Reopen).then(|| File::open(path).map(drop).map_err(Into::into))
}

struct Std {
    file: io::Result<File>,
    path: PathBuf,
}

impl Std {
    /// The file is opened again each time, as in a program that locks only now and then.
    fn file(&mut self) -> Outcome<&File> {
        self.file = open(&self.path);
        self.file.as_ref().map_err(|error| error.to_string().into())
    }
}

impl Slot for Std {
    fn acquire(&mut self) -> Outcome<()> {
        Ok(self.file()?.lock()?)
    }
    fn try_acquire(&mut self) -> Outcome<bool> {
        Ok(self.file()?.try_lock().is_ok())
    }
    fn release(&mut self) -> Outcome<()> {
        match &self.file {
            Ok(file) => Ok(file.unlock()?),
            Err(error) => Err(error.to_string().into()),
        }
    }
    fn other(&mut self, verb: Verb) -> Option<Outcome<()>> {
        reopen(&self.path, verb)
    }
}

struct Fslock {
    file: Option<fslock::LockFile>,
    path: PathBuf,
}

impl Slot for Fslock {
    fn acquire(&mut self) -> Outcome<()> {
        Ok(self
            .file
            .insert(fslock::LockFile::open(&self.path)?)
            .lock()?)
    }
    fn try_acquire(&mut self) -> Outcome<bool> {
        Ok(self
            .file
            .insert(fslock::LockFile::open(&self.path)?)
            .try_lock()?)
    }
    fn release(&mut self) -> Outcome<()> {
        Ok(self.file.as_mut().ok_or("nothing is held")?.unlock()?)
    }
    fn other(&mut self, verb: Verb) -> Option<Outcome<()>> {
        reopen(&self.path, verb)
    }
}

struct FdLock {
    /// Borrows from `lock`; dropped first.
    held: Option<fd_lock::RwLockWriteGuard<'static, File>>,
    lock: Option<Box<fd_lock::RwLock<File>>>,
    path: PathBuf,
}

impl FdLock {
    fn open(&mut self) -> Outcome<&'static mut fd_lock::RwLock<File>> {
        self.held = None;
        let lock: *mut _ = &mut **self
            .lock
            .insert(Box::new(fd_lock::RwLock::new(open(&self.path)?)));
        // SAFETY: the box stays in place until the next call, which first drops the guard that
        // borrows it, or until this slot is dropped, which drops fields in declaration order. No
        // other code uses it meanwhile.
        Ok(unsafe { &mut *lock })
    }
}

impl Slot for FdLock {
    fn acquire(&mut self) -> Outcome<()> {
        self.held = Some(self.open()?.write()?);
        Ok(())
    }
    fn try_acquire(&mut self) -> Outcome<bool> {
        self.held = self.open()?.try_write().ok();
        Ok(self.held.is_some())
    }
    fn release(&mut self) -> Outcome<()> {
        drop(self.held.take().ok_or("nothing is held")?);
        Ok(())
    }
    fn other(&mut self, verb: Verb) -> Option<Outcome<()>> {
        reopen(&self.path, verb)
    }
}

struct Named {
    held: Option<named_lock::NamedLockGuard>,
    path: PathBuf,
}

impl Slot for Named {
    fn acquire(&mut self) -> Outcome<()> {
        self.held = Some(named_lock::NamedLock::with_path(&self.path)?.lock()?);
        Ok(())
    }
    fn try_acquire(&mut self) -> Outcome<bool> {
        match named_lock::NamedLock::with_path(&self.path)?.try_lock() {
            Ok(guard) => self.held = Some(guard),
            Err(named_lock::Error::WouldBlock) => {}
            Err(error) => return Err(error.into()),
        }
        Ok(self.held.is_some())
    }
    fn release(&mut self) -> Outcome<()> {
        drop(self.held.take().ok_or("nothing is held")?);
        Ok(())
    }
    fn other(&mut self, verb: Verb) -> Option<Outcome<()>> {
        reopen(&self.path, verb)
    }
}

struct Pid {
    lock: Option<pidlock::Pidlock>,
    path: PathBuf,
}

impl Slot for Pid {
    fn acquire(&mut self) -> Outcome<()> {
        while !self.try_acquire()? {
            std::thread::sleep(std::time::Duration::from_millis(1));
        }
        Ok(())
    }
    fn try_acquire(&mut self) -> Outcome<bool> {
        let mut lock = pidlock::Pidlock::new_validated(&self.path)?;
        let got = lock.acquire();
        match got {
            Ok(()) => self.lock = Some(lock),
            Err(pidlock::PidlockError::LockExists) => return Ok(false),
            Err(error) => return Err(error.into()),
        }
        Ok(true)
    }
    fn release(&mut self) -> Outcome<()> {
        Ok(self.lock.take().ok_or("nothing is held")?.release()?)
    }
}
