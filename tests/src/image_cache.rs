//! The cache of images that workers in Rust and Python share (`src/bin/image-worker.rs`), and the
//! check of its journal.

use std::collections::{HashMap, HashSet};
use std::fs;
use std::io;
use std::path::{Path, PathBuf};

/// Number of images.
pub const IMAGES: u64 = 4;
/// Bytes per piece in which an image is fetched, so that a kill leaves it half done.
pub const PIECE: usize = 64;
/// Minimum size of an image.
const SIZE: usize = 24 * 1024;

/// The directory of the cache.
#[derive(Debug)]
pub struct Cache(PathBuf);

impl Cache {
    /// The cache below `directory`.
    pub fn at(directory: &Path) -> Self {
        Cache(directory.to_owned())
    }

    /// Creates an empty cache, and the images to fetch.
    ///
    /// # Errors
    /// Returns an error if a file cannot be created.
    pub fn make(directory: &Path) -> io::Result<Self> {
        let cache = Cache::at(directory);
        for folder in ["origin", "images", "references", "locks"] {
            fs::create_dir(directory.join(folder))?;
        }
        fs::write(cache.journal(), "")?;
        for image in 0..IMAGES {
            let seed = u32::try_from(image).expect("a small number") + 1;
            let size = SIZE + 1000 * seed as usize;
            let content: Vec<u8> = (1..=size as u32)
                .map(|at| (at.wrapping_mul(seed.wrapping_mul(0x9e37_79b1)) >> 24) as u8)
                .collect();
            fs::write(cache.origin(image), content)?;
        }
        Ok(cache)
    }

    /// The lock path.
    pub fn locks(&self) -> PathBuf {
        self.0.join("locks")
    }

    /// The journal, with one line `EVENT IMAGE PID` for each step.
    pub fn journal(&self) -> PathBuf {
        self.0.join("journal")
    }

    /// The source from which an image is fetched.
    pub fn origin(&self, image: u64) -> PathBuf {
        self.0.join(format!("origin/{image}"))
    }

    /// A complete image.
    pub fn image(&self, image: u64) -> PathBuf {
        self.0.join(format!("images/{image}"))
    }

    /// An image that is being fetched.
    pub fn part(&self, image: u64) -> PathBuf {
        self.0.join(format!("images/{image}.part"))
    }

    /// The reference, a file that exists while process `pid` uses the image.
    pub fn reference(&self, image: u64, pid: u32) -> PathBuf {
        self.0.join(format!("references/{image}.{pid}"))
    }

    /// Returns `true` if a living process uses the image; references of dead processes are removed.
    /// The caller holds the image's lock.
    ///
    /// # Errors
    /// Returns an error if the directory cannot be read.
    pub fn is_referred(&self, image: u64) -> io::Result<bool> {
        let mut referred = false;
        for entry in fs::read_dir(self.0.join("references"))? {
            let entry = entry?;
            let name = entry.file_name().into_string().expect("our own names");
            let Some(pid) = name.strip_prefix(&format!("{image}.")) else {
                continue;
            };
            if Path::new(&format!("/proc/{pid}")).exists() {
                referred = true;
            } else {
                fs::remove_file(entry.path())?;
            }
        }
        Ok(referred)
    }
}

/// CRC-32 as in zlib, which Python has.
pub fn crc32(bytes: &[u8]) -> u32 {
    !bytes.iter().fold(!0, |crc: u32, &byte| {
        (0..8).fold(crc ^ u32::from(byte), |crc, _| {
            (crc >> 1) ^ (0xedb8_8320 & (crc & 1).wrapping_neg())
        })
    })
}

/// The summary of a journal.
#[derive(Debug, Default)]
pub struct Story {
    /// Number of occurrences of each event.
    pub events: HashMap<String, usize>,
    /// Violations of the invariants.
    pub violations: Vec<String>,
}

/// Checks the journal. All events of an image are written under its lock, so they are in the order
/// of the operations.
///
/// No image may be fetched while it exists or while another process fetches it, and none may expire
/// while a process uses it. The `killed` processes no longer use or fetch anything.
pub fn judge(journal: &str, killed: &HashSet<u32>) -> Story {
    let mut story = Story::default();
    let mut images: HashMap<&str, State> = HashMap::new();
    for (number, line) in (1..).zip(journal.lines()) {
        let words: Vec<&str> = line.split(' ').collect();
        let (&[event, image, _], Some(pid)) =
            (&words[..], words.last().and_then(|pid| pid.parse().ok()))
        else {
            let torn = format!("line {number} is torn: {line}");
            story.violations.push(torn);
            continue;
        };
        *story.events.entry(event.to_owned()).or_default() += 1;
        let state = images.entry(image).or_default();
        if let Some(problem) = state.step(event, pid, killed) {
            story
                .violations
                .push(format!("line {number}: {line}: {problem}"));
        }
    }
    story
}

#[derive(Debug, Default)]
struct State {
    is_there: bool,
    fetching: Option<u32>,
    users: HashSet<u32>,
}

impl State {
    fn step(&mut self, event: &str, pid: u32, killed: &HashSet<u32>) -> Option<String> {
        let mut problem = None;
        // A process that starts a fetch while another is unfinished must follow a death.
        if let Some(fetching) = self.fetching
            && fetching != pid
        {
            if !killed.contains(&fetching) {
                problem = Some(format!("process {fetching} still fetches it"));
            }
            self.fetching = None;
        }
        match event {
            "fetching" if self.is_there => problem = Some("it is there already".into()),
            "fetching" => self.fetching = Some(pid),
            "fetched" if self.fetching != Some(pid) => problem = Some("it was not begun".into()),
            "fetched" | "found" => {
                self.is_there = true;
                self.fetching = None;
            }
            "referred" => drop(self.users.insert(pid)),
            "left" => drop(self.users.remove(&pid)),
            "expiring" => {
                let user = self.users.iter().find(|user| !killed.contains(user));
                if let Some(user) = user {
                    problem = Some(format!("process {user} uses it"));
                }
                self.is_there = false;
            }
            _ => problem = Some("there is no such event".into()),
        }
        problem
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn violations(journal: &str, killed: &[u32]) -> usize {
        let killed = killed.iter().copied().collect();
        judge(journal, &killed).violations.len()
    }

    #[test]
    fn the_checksum_is_that_of_zlib() {
        assert_eq!(crc32(b"123456789"), 0xcbf4_3926);
    }

    #[test]
    fn a_good_story_passes_and_each_bad_one_is_seen() {
        let good = "fetching 0 1\nfetched 0 1\nreferred 0 1\nfetching 1 2\nfound 0 2\nfetched 1 2\n\
                    left 0 1\nexpiring 0 2\nfetching 0 1\nfetched 0 1\n";
        assert_eq!(violations(good, &[]), 0);
        let after_death = "fetching 0 1\nfetching 0 2\nfetched 0 2\nreferred 0 2\nexpiring 0 3\n";
        assert_eq!(violations(after_death, &[1, 2]), 0);
        assert_eq!(violations(after_death, &[1]), 1, "expired under 2");
        assert_eq!(
            violations(after_death, &[2]),
            1,
            "fetched by 1 and 2 at once"
        );
        let twice = "fetching 0 1\nfetched 0 1\nfetching 0 2\n";
        assert_eq!(violations(twice, &[]), 1);
        assert_eq!(violations("fetching 0 1fetched\n", &[]), 1);
        assert_eq!(violations("fetched 0 1\n", &[]), 1);
    }
}
