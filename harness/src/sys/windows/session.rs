//! A directory of numbered files that the processes of one test share.
//!
//! A test that starts processes for a run executes its own program again, for this test alone. The
//! new process runs the test from its beginning, and what the test creates there gets the same
//! numbers in the same order: so the memory that both map is found without a name of its own.
//!
//! The files are removed with the thread of the test, when nothing maps them any more.

use std::cell::{Cell, RefCell};
use std::fs::{File, OpenOptions};
use std::io;
use std::path::{Path, PathBuf};

use tempfile::TempDir;

/// `RUN|PROCESS|DIRECTORY|TEST`: the run for which the process was executed, its number in it, the
/// directory, which has no bar in its name, and the thread of the test.
pub(crate) const VARIABLE: &str = "LOCKUTILS_HARNESS_SESSION";

/// The part of a process that was executed for a run.
#[derive(Clone, Debug)]
pub(crate) struct Inherited {
    /// The run, counted from 0 in the order of the test.
    pub(crate) run: usize,
    /// The number of the process in the run.
    pub(crate) process: usize,
    /// The directory that all processes of the test share.
    pub(crate) directory: PathBuf,
}

impl Inherited {
    /// The variable for a process of this test.
    pub(crate) fn variable(&self, test: &str) -> (&'static str, String) {
        let Inherited {
            run,
            process,
            directory,
        } = self;
        (
            VARIABLE,
            format!("{run}|{process}|{}|{test}", directory.display()),
        )
    }

    fn parse(text: &str, this_thread: &str) -> Option<Self> {
        let mut words = text.splitn(4, '|');
        let [run, process] = [words.next()?.parse().ok()?, words.next()?.parse().ok()?];
        let directory = PathBuf::from(words.next()?);
        // Other threads of this process have directories of their own.
        (words.next()? == this_thread).then_some(Inherited {
            run,
            process,
            directory,
        })
    }
}

/// The part of this process, if it was executed for a run of the test of this thread.
pub(crate) fn inherited() -> Option<Inherited> {
    let text = std::env::var(VARIABLE).ok()?;
    Inherited::parse(&text, std::thread::current().name().unwrap_or_default())
}

thread_local! {
    static OWN: RefCell<Option<TempDir>> = const { RefCell::new(None) };
    static NEXT: Cell<usize> = const { Cell::new(0) };
}

/// The directory that the processes of the test of this thread share.
pub(crate) fn directory() -> io::Result<PathBuf> {
    if let Some(inherited) = inherited() {
        return Ok(inherited.directory);
    }
    OWN.with_borrow_mut(|own| {
        let directory = match own.take() {
            Some(directory) => directory,
            None => tempfile::Builder::new().prefix("lockutils-").tempdir()?,
        };
        Ok(own.insert(directory).path().to_owned())
    })
}

/// A numbered file in the [`directory`].
#[derive(Debug)]
pub(crate) struct SharedFile(File);

impl SharedFile {
    /// The next file of this thread. A process that was executed for a run finds that of the test's
    /// own process, and its content.
    pub(crate) fn create_empty() -> io::Result<Self> {
        Self::open(Self::next_number())
    }

    /// The number of the file that this thread creates next.
    pub(crate) fn next_number() -> usize {
        NEXT.replace(NEXT.get() + 1)
    }

    pub(crate) fn file(&self) -> &File {
        &self.0
    }

    /// The file of this number.
    fn open(number: usize) -> io::Result<Self> {
        at(&directory()?.join(format!("memory-{number}"))).map(SharedFile)
    }

    /// The same file once more.
    pub(crate) fn try_clone(&self) -> io::Result<Self> {
        self.0.try_clone().map(SharedFile)
    }

    /// Later runs find the file by its number.
    pub(crate) fn keep_open(self) {}
}

/// The path of the test's own process at this call.
pub(crate) fn agree(path: &Path) -> io::Result<PathBuf> {
    let kept = directory()?.join(format!("path-{}", SharedFile::next_number()));
    if inherited().is_some() {
        return std::fs::read_to_string(kept).map(PathBuf::from);
    }
    let text = path.to_str().ok_or(io::ErrorKind::InvalidFilename)?;
    std::fs::write(kept, text)?;
    Ok(path.to_owned())
}

fn at(path: &Path) -> io::Result<File> {
    OpenOptions::new()
        .read(true)
        .write(true)
        .create(true)
        .truncate(false)
        .open(path)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_thread_of_the_test_belongs_to_the_run() {
        let sent = Inherited {
            run: 1,
            process: 2,
            directory: PathBuf::from(r"C:\Temp\a"),
        };
        let (_, text) = sent.variable("tests::exclusive|twice");
        let read = Inherited::parse(&text, "tests::exclusive|twice").unwrap();
        assert_eq!((read.run, read.process), (1, 2));
        assert_eq!(read.directory, sent.directory);
        assert!(Inherited::parse(&text, "another").is_none());
        assert!(Inherited::parse("", "").is_none());
    }
}
