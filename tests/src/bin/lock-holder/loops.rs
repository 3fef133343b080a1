//! Many sections in a row.

use std::path::Path;
use std::time::Duration;

use lockutils_tests::sections::Sections;
use oslo_concurrency::lockutils::{self, Error, InterProcessReaderWriterLock};

pub fn obey(command: &str, words: &[&str]) -> Option<String> {
    match command {
        "sections" => Some(sections(words)),
        "read-write-sections" => Some(read_write_sections(words)),
        _ => None,
    }
}

/// `read-write-sections NAME FILE N ID`: N sections; every third one writes.
fn read_write_sections(words: &[&str]) -> String {
    let directory = lockutils::get_lock_path().expect("OSLO_LOCK_PATH");
    let lock = InterProcessReaderWriterLock::new(directory.join(words[0]));
    let file = Sections::open(Path::new(words[1])).expect("the file of sections");
    let (n, me): (u64, u64) = (
        words[2].parse().expect("a number"),
        words[3].parse().expect("a number"),
    );
    for round in 0..n {
        if round % 3 == 0 {
            let _guard = lock.write().expect("the lock");
            file.enter(me);
        } else {
            let _guard = lock.read().expect("the lock");
            file.look();
        }
        // Leaves time for the others, as below: readers that never pause starve writers.
        std::thread::sleep(Duration::from_micros(100));
    }
    "done".into()
}

/// `sections NAME FILE N ID MODE [PREFIX]`: N sections; `MODE` is blocking, polling or
/// synchronized.
fn sections(words: &[&str]) -> String {
    let name = words[0];
    let file = Sections::open(Path::new(words[1])).expect("the file of sections");
    let (n, me): (u64, u64) = (
        words[2].parse().expect("a number"),
        words[3].parse().expect("a number"),
    );
    let mut lock = lockutils::lock(name).external(true);
    if let Some(prefix) = words.get(5) {
        lock = lock.prefix(prefix);
    }
    for _ in 0..n {
        match words[4] {
            "blocking" => lock.run(|| file.enter(me)).expect("the lock"),
            "polling" => {
                while let Err(Error::NotAcquired { .. }) =
                    lock.blocking(false).run(|| file.enter(me))
                {
                    std::thread::yield_now();
                }
            }
            _ => synchronized(name, words.get(5).copied().unwrap_or(""), &file, me)
                .expect("the lock"),
        }
        // Leaves time for the others: a process that re-acquires the lock at once starves those
        // that poll.
        std::thread::sleep(Duration::from_micros(100));
    }
    "done".into()
}

#[lockutils::synchronized(name, external, prefix = prefix)]
fn synchronized(name: &str, prefix: &str, file: &Sections, me: u64) -> Result<(), Error> {
    file.enter(me);
    Ok(())
}
