//! A worker of a service that shares a cache of images with workers of both languages; its
//! counterpart is `python/image_worker.py`.
//!
//! `image-worker DIRECTORY` reads `work N SEED`, `use IMAGE` or `expire`, and answers `done`. Every
//! operation on image I holds the external lock `image-I`: the image is fetched in pieces into a
//! part file that is renamed once it is complete, a user's reference is a file named after its
//! process, and an image without references of living processes expires. Each step is a line of the
//! journal, written before the lock is released.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Read, Write};
use std::path::{Path, PathBuf};

use lockutils_tests::image_cache::{Cache, IMAGES, PIECE, crc32};
use nix::sys::prctl::set_pdeathsig;
use nix::sys::signal::Signal;
use oslo_concurrency::lockutils;

type Result<T> = std::result::Result<T, Box<dyn std::error::Error>>;

fn main() -> Result<()> {
    set_pdeathsig(Signal::SIGKILL)?;
    let directory: PathBuf = std::env::args_os().nth(1).expect("a directory").into();
    let worker = Worker::new(&directory)?;
    println!("ready");
    for line in io::stdin().lines() {
        let line = line?;
        let words: Vec<&str> = line.split(' ').collect();
        let outcome = match words[..] {
            ["work", n, seed] => worker.work(n.parse()?, seed.parse()?),
            ["use", image] => worker.use_image(image.parse()?),
            ["expire"] => (0..IMAGES).try_for_each(|image| worker.expire(image)),
            _ => Err(format!("unknown {line}").into()),
        };
        match outcome {
            Ok(()) => println!("done"),
            Err(error) => println!("error {error}"),
        }
    }
    Ok(())
}

struct Worker {
    cache: Cache,
    journal: File,
    pid: u32,
}

impl Worker {
    fn new(directory: &Path) -> Result<Self> {
        let cache = Cache::at(directory);
        lockutils::set_defaults(cache.locks());
        Ok(Worker {
            journal: OpenOptions::new().append(true).open(cache.journal())?,
            cache,
            pid: std::process::id(),
        })
    }

    fn work(&self, n: u32, mut seed: u64) -> Result<()> {
        for _ in 0..n {
            seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
            let image = (seed >> 33) % IMAGES;
            if (seed >> 40).is_multiple_of(3) {
                self.expire(image)?;
            } else {
                self.use_image(image)?;
            }
        }
        Ok(())
    }

    /// One line in one write, so that lines of several processes do not mix.
    fn note(&self, event: &str, image: u64) -> io::Result<()> {
        let line = format!("{event} {image} {}\n", self.pid);
        (&self.journal).write_all(line.as_bytes())
    }

    fn locked<T>(&self, image: u64, operation: impl FnOnce() -> io::Result<T>) -> Result<T> {
        let lock = format!("image-{image}");
        Ok(lockutils::lock(&lock).external(true).run(operation)??)
    }

    fn use_image(&self, image: u64) -> Result<()> {
        let reference = self.cache.reference(image, self.pid);
        self.locked(image, || {
            if self.cache.image(image).exists() {
                self.note("found", image)?;
            } else {
                self.fetch(image)?;
            }
            File::create(&reference)?;
            self.note("referred", image)
        })?;
        // Without the lock: the reference keeps the image.
        let content = fs::read(self.cache.image(image))?;
        let checksum = crc32(&content);
        if checksum != crc32(&fs::read(self.cache.origin(image))?) {
            return Err(format!("image {image} is corrupt: {checksum:08x}").into());
        }
        self.locked(image, || {
            self.note("left", image)?;
            fs::remove_file(&reference)
        })
    }

    fn fetch(&self, image: u64) -> io::Result<()> {
        self.note("fetching", image)?;
        let part = self.cache.part(image);
        let mut origin = File::open(self.cache.origin(image))?;
        let mut file = File::create(&part)?; // overwrites the part of a killed worker
        let mut piece = [0; PIECE];
        loop {
            match origin.read(&mut piece)? {
                0 => break,
                n => file.write_all(&piece[..n])?,
            }
        }
        fs::rename(part, self.cache.image(image))?;
        self.note("fetched", image)
    }

    fn expire(&self, image: u64) -> Result<()> {
        self.locked(image, || {
            if self.cache.image(image).exists() && !self.cache.is_referred(image)? {
                self.note("expiring", image)?;
                fs::remove_file(self.cache.image(image))?;
            }
            Ok(())
        })
    }
}
