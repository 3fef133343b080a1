//! Another one; under cargo-nextest each of these tests is a process.

use std::thread;

use lockutils_examples::ask;

#[test]
fn the_device_measures() {
    thread::scope(|scope| {
        for _ in 0..4 {
            scope.spawn(|| {
                for _ in 0..100 {
                    assert_eq!(ask("measure").unwrap(), "21.5");
                }
            });
        }
    });
}
