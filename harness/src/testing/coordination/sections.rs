//! Critical sections that detect overlaps, in a file that processes share.
//!
//! The file has two words: the worker inside (0 for none) and the number of sections so far. They
//! are read and written without any atomicity, so that two workers that are inside at once either
//! see each other or lose a count.

use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt;
use std::path::Path;
use std::thread;
use std::time::{Duration, Instant};

use super::executor::yield_once;

/// Long enough for a second holder to be seen.
const STAY: Duration = Duration::from_micros(50);

/// Long enough for an answer to another task to arrive.
const STAY_OF_A_TASK: Duration = Duration::from_millis(1);

#[derive(Debug)]
pub(super) struct Sections(File);

/// The beginning of a section.
enum Begun {
    /// Nobody else is inside; so many sections have ended.
    Alone(u64),
    /// This worker is inside.
    Inside(u64),
}

impl Sections {
    pub(super) fn open(path: &Path) -> io::Result<Self> {
        let mut options = File::options();
        let options = options.read(true).write(true).create(true).truncate(false);
        let file = options.open(path)?;
        if file.metadata()?.len() < 16 {
            file.write_all_at(&[0; 16], 0)?;
        }
        Ok(Sections(file))
    }

    fn read(&self, at: u64) -> io::Result<u64> {
        let mut word = [0; 8];
        self.0.read_exact_at(&mut word, at)?;
        Ok(u64::from_le_bytes(word))
    }

    fn write(&self, at: u64, value: u64) -> io::Result<()> {
        self.0.write_all_at(&value.to_le_bytes(), at)
    }

    /// Runs one section of the worker `me`, which is not 0. Returns the other worker if one is
    /// inside.
    pub(super) fn enter(&self, me: u64) -> io::Result<Option<u64>> {
        match self.begin(me)? {
            Begun::Inside(other) => Ok(Some(other)),
            Begun::Alone(count) => {
                thread::sleep(STAY);
                self.end(me, count)
            }
        }
    }

    /// Runs one section of a task. Other tasks of its thread run meanwhile.
    pub(super) async fn enter_as_task(&self, me: u64) -> io::Result<Option<u64>> {
        match self.begin(me)? {
            Begun::Inside(other) => Ok(Some(other)),
            Begun::Alone(count) => {
                let end = Instant::now() + STAY_OF_A_TASK;
                while Instant::now() < end {
                    yield_once().await;
                }
                self.end(me, count)
            }
        }
    }

    fn begin(&self, me: u64) -> io::Result<Begun> {
        let inside = self.read(0)?;
        if inside != 0 {
            return Ok(Begun::Inside(inside));
        }
        self.write(0, me)?;
        Ok(Begun::Alone(self.read(8)?))
    }

    fn end(&self, me: u64, count: u64) -> io::Result<Option<u64>> {
        self.write(8, count + 1)?;
        let inside = self.read(0)?;
        self.write(0, 0)?;
        Ok((inside != me).then_some(inside))
    }

    pub(super) fn count(&self) -> io::Result<u64> {
        self.read(8)
    }
}
