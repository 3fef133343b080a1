//! Acquire and release, in all ways of the library.

use std::collections::HashMap;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::path::PathBuf;
use std::time::Duration;

use lockutils::scope::LockPathScope;
use lockutils::{
    Error, Guard, InterProcessGuard, InterProcessLock, InterProcessReadGuard,
    InterProcessReaderWriterLock, InterProcessWriteGuard, InternalGuard, InternalLock, LockOptions,
};
use oslo_concurrency::lockutils;

/// The locks that this process holds and keeps, by name.
#[derive(Default)]
pub struct Held {
    pub guards: HashMap<String, Holding>,
    pub kept: HashMap<String, Kept>,
    pub scopes: Vec<LockPathScope>,
}

/// A lock that is held, until this is dropped.
#[expect(dead_code, reason = "held for their drop")]
pub enum Holding {
    Named(Guard),
    File(InterProcessGuard),
    Internal(InternalGuard),
    Reader(InterProcessReadGuard<'static>),
    Writer(InterProcessWriteGuard<'static>),
}

/// Locks that a program creates once and keeps, like a static.
pub struct Kept {
    pub file: InterProcessLock,
    pub internal: InternalLock,
    pub reader_writer: &'static InterProcessReaderWriterLock,
}

impl Kept {
    fn named(name: &str) -> Self {
        Kept {
            file: InterProcessLock::new(lock_file(name)),
            internal: lockutils::internal_lock(name, None),
            reader_writer: Box::leak(Box::new(InterProcessReaderWriterLock::new(lock_file(name)))),
        }
    }
}

fn lock_file(name: &str) -> PathBuf {
    lockutils::get_lock_path()
        .expect("OSLO_LOCK_PATH")
        .join(name)
}

/// The outcome of an acquire in the form that tests expect.
pub fn outcome<T>(result: &Result<T, Error>) -> String {
    match result {
        Ok(_) => "acquired".into(),
        Err(Error::NotAcquired { .. }) => "busy".into(),
        Err(Error::Timeout { .. }) => "timeout".into(),
        Err(Error::WouldDeadlock { .. }) => "would deadlock".into(),
        Err(error) => format!("error {error}"),
    }
}

pub fn milliseconds(word: &str) -> Duration {
    Duration::from_millis(word.parse().expect("milliseconds"))
}

impl Held {
    pub fn obey(&mut self, command: &str, words: &[&str]) -> Option<String> {
        let name = words.first().copied().unwrap_or_default();
        let lock = lockutils::lock(name).external(true);
        Some(match command {
            "acquire" => self.acquire(&lock, name),
            "acquire-fair" => self.acquire(&lock.fair(true), name),
            "acquire-with-prefix" => self.acquire(&lock.prefix(words[1]), name),
            "acquire-in" => self.acquire(&lock.lock_path(words[1]), name),
            "try" => self.acquire(&lock.blocking(false), name),
            "timed" => self.acquire(&lock.timeout(milliseconds(words[1])), name),
            "let-others-first" => {
                drop(self.guards.remove(name));
                self.acquire(&lock.fair(true), name)
            }
            "release" => match self.guards.remove(name) {
                Some(_) => "released".into(),
                None => "not held".into(),
            },
            "keep" => {
                self.kept.insert(name.to_owned(), Kept::named(name));
                "kept".into()
            }
            "acquire-kept" => self.hold(name, self.kept[name].file.acquire().map(Holding::File)),
            "acquire-kept-internal" => self.hold(
                name,
                self.kept[name].internal.acquire().map(Holding::Internal),
            ),
            "read" => self.hold(
                name,
                self.kept[name].reader_writer.read().map(Holding::Reader),
            ),
            "try-read" => self.hold(
                name,
                self.kept[name]
                    .reader_writer
                    .try_read()
                    .map(Holding::Reader),
            ),
            "write" => self.hold(
                name,
                self.kept[name].reader_writer.write().map(Holding::Writer),
            ),
            "try-write" => self.hold(
                name,
                self.kept[name]
                    .reader_writer
                    .try_write()
                    .map(Holding::Writer),
            ),
            "remove" => match lockutils::remove_external_lock_file(name, None) {
                Ok(()) => "removed".into(),
                Err(error) => format!("error {error}"),
            },
            "panic" => panic_in_section(&lock),
            _ => return None,
        })
    }

    fn acquire(&mut self, lock: &LockOptions<'_>, name: &str) -> String {
        self.hold(name, lock.acquire().map(Holding::Named))
    }

    fn hold(&mut self, name: &str, result: Result<Holding, Error>) -> String {
        let answer = outcome(&result);
        self.guards
            .extend(result.ok().map(|holding| (name.to_owned(), holding)));
        answer
    }
}

fn panic_in_section(lock: &LockOptions<'_>) -> String {
    let section = AssertUnwindSafe(|| lock.run(|| resume_unwind(Box::new("in the section"))));
    match catch_unwind(section) {
        Err(_) => "panicked".into(),
        Ok(_) => "no panic".into(),
    }
}
