//! The cost of one acquire and release without contention. `benches/ratios` compares it with peers.

use std::hint::black_box;

use criterion::{Criterion, criterion_group, criterion_main};
use oslo_concurrency::lockutils;

#[lockutils::synchronized("site")]
fn synchronized() {}

fn uncontended(criterion: &mut Criterion) {
    let directory = tempfile::tempdir().expect("a directory for the lock files");
    let mut group = criterion.benchmark_group("uncontended");
    let mutex = parking_lot::Mutex::new(());
    group.bench_function("parking_lot", |b| b.iter(|| *black_box(mutex.lock())));
    group.bench_function("synchronized", |b| b.iter(synchronized));
    let name = String::from("named");
    let kept = lockutils::internal_lock(&name, None);
    let named = || drop(black_box(lockutils::lock(&name).acquire()));
    group.bench_function("named, kept in use", |b| b.iter(named));
    drop(kept);
    group.bench_function("named, made anew", |b| b.iter(named));
    let external = lockutils::lock("external")
        .external(true)
        .lock_path(directory.path());
    group.bench_function("external", |b| {
        b.iter(|| drop(black_box(external.acquire())));
    });
    group.finish();
}

criterion_group!(benches, uncontended);
criterion_main!(benches);
