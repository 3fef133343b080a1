//! Unused names leave nothing behind. The only test of its program, because it measures the memory
//! of the process.

use oslo_concurrency::lockutils::{self, Semaphores};

/// Bytes of memory that the process has in use (statm in proc(5), resident pages).
fn resident() -> u64 {
    let statm = std::fs::read_to_string("/proc/self/statm").unwrap();
    let pages: u64 = statm.split(' ').nth(1).unwrap().parse().unwrap();
    pages * 4096
}

fn use_names(names: std::ops::Range<u32>, container: &Semaphores) {
    for number in names {
        let name = format!("image-{number}");
        lockutils::lock(&name).run(|| ()).unwrap();
        lockutils::lock(&name)
            .semaphores(container)
            .run(|| ())
            .unwrap();
    }
}

#[test]
fn a_million_names_leave_no_memory_behind() {
    let container = Semaphores::new();
    use_names(0..10_000, &container);
    let before = resident();
    use_names(10_000..1_010_000, &container);
    let grown = resident().saturating_sub(before);
    assert!(grown < 1 << 20, "{grown} bytes stayed in use");
    assert!(container.is_empty());

    // The same if all names were in use at once.
    let kept: Vec<_> = (0..100_000)
        .map(|number| container.get(&number.to_string()))
        .collect();
    assert_eq!(container.len(), 100_000);
    drop(kept);
    assert!(container.is_empty());
}
