//! Critical sections that detect overlaps, in a file, so that programs in any language can take
//! part.
//!
//! The file holds two little-endian words: the worker inside (0 for none) and the number of
//! sections so far. Both are read and written without any atomicity, so that two workers that are
//! inside at once either see each other or lose a count.

use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt;
use std::path::Path;

/// The file.
#[derive(Debug)]
pub struct Sections(File);

impl Sections {
    /// Opens the file at `path`, and creates it if it is missing.
    ///
    /// # Errors
    /// Returns an error if the file cannot be opened.
    pub fn open(path: &Path) -> io::Result<Self> {
        let file = File::options()
            .read(true)
            .write(true)
            .create(true)
            .truncate(false)
            .open(path)?;
        if file.metadata()?.len() < 16 {
            file.write_all_at(&[0; 16], 0)?;
        }
        Ok(Sections(file))
    }

    fn read(&self, at: u64) -> u64 {
        let mut word = [0; 8];
        self.0
            .read_exact_at(&mut word, at)
            .expect("the file is there");
        u64::from_le_bytes(word)
    }

    fn write(&self, at: u64, value: u64) {
        self.0
            .write_all_at(&value.to_le_bytes(), at)
            .expect("the file is there");
    }

    /// Runs one section of the worker `me`, which is not 0.
    ///
    /// # Panics
    /// Panics if another worker is inside.
    pub fn enter(&self, me: u64) {
        let inside = self.read(0);
        assert_eq!(inside, 0, "{inside} is in the section when {me} enters");
        self.write(0, me);
        let count = self.read(8);
        std::hint::black_box((0..200).sum::<u64>());
        self.write(8, count + 1);
        let inside = self.read(0);
        assert_eq!(inside, me, "{inside} came into the section of {me}");
        self.write(0, 0);
    }

    /// Runs one section that only reads, of which several may overlap.
    ///
    /// # Panics
    /// Panics if a worker is inside that writes.
    pub fn look(&self) {
        let (inside, count) = (self.read(0), self.read(8));
        assert_eq!(inside, 0, "{inside} writes while another worker reads");
        std::hint::black_box((0..200).sum::<u64>());
        let (inside, later) = (self.read(0), self.read(8));
        assert_eq!(
            (inside, later),
            (0, count),
            "one worker writes while another reads"
        );
    }

    /// The number of sections so far.
    pub fn count(&self) -> u64 {
        self.read(8)
    }
}
