//! A small service like those of OpenStack: workers in Rust and in Python keep a cache of images
//! under one lock path, and are killed.

use std::collections::HashSet;
use std::fs::{self, OpenOptions};
use std::io::Write;
use std::path::Path;
use std::process::Command;

use lockutils_tests::conversation::Conversation;
use lockutils_tests::image_cache::{Cache, IMAGES, Story, judge};
use lockutils_tests::python;
use lockutils_tests::until::until;
use nix::sys::stat::Mode;
use nix::unistd::mkfifo;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Language {
    Rust,
    Python,
}

use Language::{Python, Rust};

fn worker(language: Language, directory: &Path) -> Conversation {
    let mut command = match language {
        Rust => Command::new(env!("CARGO_BIN_EXE_image-worker")),
        Python => python::script("image_worker.py"),
    };
    command.arg(directory).env_remove("OSLO_LOCK_PATH");
    let worker = Conversation::start(command);
    assert_eq!(worker.answer(), "ready");
    worker
}

fn number(worker: &Conversation) -> u32 {
    worker.pid().as_raw().cast_unsigned()
}

fn story(cache: &Cache, killed: &HashSet<u32>) -> Story {
    let journal = fs::read_to_string(cache.journal()).unwrap();
    let story = judge(&journal, killed);
    assert!(story.violations.is_empty(), "{:#?}", story.violations);
    story
}

fn images(cache: &Cache) -> usize {
    (0..IMAGES)
        .filter(|&image| cache.image(image).exists())
        .count()
}

/// Two workers of each language. One after the other is killed as soon as the journal shows a
/// certain step of it.
#[test]
fn no_kill_corrupts_an_image_fetches_it_twice_or_leaves_a_lock() {
    const ROUNDS: usize = 8; // each step in each language
    const EACH: usize = 20;
    let directory = tempfile::tempdir().unwrap();
    let cache = Cache::make(directory.path()).unwrap();
    let languages = [Rust, Python, Rust, Python];
    let mut workers = languages.map(|language| worker(language, directory.path()));
    let mut killed = HashSet::new();
    let mut seed = 0_u64;
    let mut employ = |worker: &mut Conversation| {
        seed += 1;
        worker.send(&format!("work {EACH} {seed}"));
    };
    workers.iter_mut().for_each(&mut employ);
    for round in 0..ROUNDS {
        let victim = round % languages.len();
        let event = ["fetching", "referred", "expiring", "fetched"][(round + round / 4) % 4];
        let said = fs::metadata(cache.journal()).unwrap().len() as usize;
        let pid = number(&workers[victim]);
        until("the victim reaches its step", || {
            for worker in &mut workers {
                if let Some(answer) = worker.answer_so_far() {
                    assert_eq!(answer, "done");
                    employ(worker);
                }
            }
            let journal = fs::read_to_string(cache.journal()).unwrap();
            let is_step =
                |line: &str| line.starts_with(event) && line.ends_with(&format!(" {pid}"));
            journal[said..].lines().any(is_step).then_some(())
        });
        workers[victim].kill();
        killed.insert(pid);
        workers[victim] = worker(languages[victim], directory.path());
        employ(&mut workers[victim]);
    }
    for worker in &workers {
        assert_eq!(worker.answer(), "done");
    }
    let story = story(&cache, &killed);
    for event in ["fetched", "found", "referred", "left", "expiring"] {
        assert!(story.events[event] >= ROUNDS, "{event}: {story:?}");
    }
    // No lock is stuck, and no reference of a dead process keeps an image.
    for language in [Rust, Python] {
        let mut worker = worker(language, directory.path());
        assert_eq!(worker.ask("expire"), "done");
        assert_eq!(images(&cache), 0);
        assert_eq!(worker.ask("use 0"), "done");
    }
}

/// The image comes through a pipe that runs dry, so that the worker is killed when it has half of
/// the image.
#[test]
fn whoever_waits_fetches_anew_what_the_dead_began() {
    for (first, second) in [(Rust, Python), (Python, Rust)] {
        let directory = tempfile::tempdir().unwrap();
        let cache = Cache::make(directory.path()).unwrap();
        let origin = cache.origin(0);
        let content = fs::read(&origin).unwrap();
        let half = content.len() / 2;
        fs::remove_file(&origin).unwrap();
        mkfifo(&origin, Mode::S_IRWXU).unwrap();
        let mut dead = worker(first, directory.path());
        let mut heir = worker(second, directory.path());
        dead.send("use 0");
        let mut pipe = OpenOptions::new()
            .read(true)
            .write(true)
            .open(&origin)
            .unwrap();
        pipe.write_all(&content[..half]).unwrap(); // a pipe holds that much (pipe(7))
        until("part of the image is there", || {
            let part = fs::metadata(cache.part(0)).ok()?;
            // Python reads the pipe in larger pieces than it writes.
            (part.len() as usize > half / 2).then_some(())
        });
        heir.send("use 0");
        fs::rename(&origin, directory.path().join("pipe")).unwrap();
        fs::write(&origin, &content).unwrap();
        assert_eq!(heir.answer_so_far(), None, "the first still holds the lock");
        dead.kill();
        assert_eq!(heir.answer(), "done", "{second:?} after {first:?}");
        assert_eq!(fs::read(cache.image(0)).unwrap(), content);
        let story = story(&cache, &HashSet::from([number(&dead)]));
        assert_eq!((story.events["fetching"], story.events["fetched"]), (2, 1));
    }
}
