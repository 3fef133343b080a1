//! The reader-writer lock between threads.

use shuttle::thread;

use crate::checks::many_interleavings;
use crate::sync::{Arc, AtomicU32, Ordering::SeqCst, TICK};
use crate::threads::reader_writer::{Access, ReaderWriter};
use crate::wait::Wait;

/// The count of a writer; a reader counts one.
const WRITER: u32 = 1_000;

struct Model {
    lock: ReaderWriter,
    inside: AtomicU32,
}

impl Model {
    fn read(&self) {
        let _guard = self.lock.acquire(Access::Read, Wait::Forever).unwrap();
        self.look(1);
    }

    fn write(&self) {
        let _guard = self.lock.acquire(Access::Write, Wait::Forever).unwrap();
        self.look(WRITER);
    }

    fn look(&self, count: u32) {
        let before = self.inside.fetch_add(count, SeqCst);
        assert!(
            before < WRITER && (count == 1 || before == 0),
            "{before} and {count} are inside"
        );
        thread::yield_now();
        self.inside.fetch_sub(count, SeqCst);
    }

    fn write_soon(&self) {
        if let Ok(_guard) = self.lock.acquire(Access::Write, Wait::at_most(TICK)) {
            self.look(WRITER);
        }
    }

    fn read_soon(&self) {
        if let Ok(_guard) = self.lock.acquire(Access::Read, Wait::at_most(TICK * 2)) {
            self.look(1);
        }
    }

    fn read_twice(&self) {
        let _first = self.lock.acquire(Access::Read, Wait::Forever).unwrap();
        let _second = self.lock.acquire(Access::Read, Wait::Forever).unwrap();
        self.look(1);
    }
}

type Step = fn(&Model);

fn threads(steps: &'static [&'static [Step]]) {
    let model = Arc::new(Model {
        lock: ReaderWriter::new(),
        inside: AtomicU32::new(0),
    });
    let threads: Vec<_> = steps
        .iter()
        .map(|steps| {
            let model = Arc::clone(&model);
            thread::spawn(move || steps.iter().for_each(|step| step(&model)))
        })
        .collect();
    for thread in threads {
        thread.join().unwrap();
    }
    assert_eq!(model.lock.held(), None);
    assert!(!model.lock.has_pending_writers());
}

#[test]
fn readers_share_and_writers_exclude_whoever_gives_up() {
    many_interleavings(500, || {
        threads(&[&[Model::read], &[Model::write], &[Model::write_soon]])
    });
    many_interleavings(500, || {
        threads(&[
            &[Model::read_twice, Model::read_soon],
            &[Model::write],
            &[Model::write_soon],
        ]);
    });
    many_interleavings(500, || {
        threads(&[
            &[Model::read, Model::write],
            &[Model::write_soon, Model::read],
            &[Model::read_soon],
        ]);
    });
}
