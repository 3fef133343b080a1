//! Runs models, and checks what must hold in each of them.

use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::Instant;

use shuttle::scheduler::{DfsScheduler, PctScheduler, RandomScheduler, Scheduler};
use shuttle::{Config, Runner};

use crate::{sync, sys};

/// Runs `model` under every interleaving, or the first `most` of them.
///
/// A run that ends after fewer schedules was exhaustive, and prints that.
pub fn every_interleaving(most: usize, model: impl Fn() + Send + Sync + 'static) {
    let most = most * factor();
    let tried = run(DfsScheduler::new(Some(most), false), model);
    let complete = if tried < most { ", all of them" } else { "" };
    println!("depth first: {tried} schedules{complete}");
}

/// Runs `model` under `schedules` interleavings with few preemptions, and as many random ones.
///
/// `LOCKUTILS_MODEL_FACTOR` multiplies the number of schedules.
pub fn many_interleavings(schedules: usize, model: impl Fn() + Send + Sync + Clone + 'static) {
    let schedules = schedules * factor();
    for depth in [2, 4] {
        run(PctScheduler::new(depth, schedules / 2), model.clone());
    }
    run(RandomScheduler::new(schedules), model);
}

/// Runs `model` under random interleavings only, for models in which a thread may run endlessly
/// until another stops it: a schedule that never runs the other thread proves nothing.
pub fn random_interleavings(schedules: usize, model: impl Fn() + Send + Sync + 'static) {
    run(RandomScheduler::new(schedules * factor()), model);
}

fn factor() -> usize {
    let factor = std::env::var("LOCKUTILS_MODEL_FACTOR").ok();
    factor.and_then(|factor| factor.parse().ok()).unwrap_or(1)
}

/// Runs the model and returns the number of schedules. A failing schedule reports its number and
/// the time until then.
fn run(scheduler: impl Scheduler + 'static, model: impl Fn() + Send + Sync + 'static) -> usize {
    let mut config = Config::new();
    config.stack_size = 0x20000;
    let (tried, began) = (std::sync::Arc::new(Tried::default()), Instant::now());
    let count = std::sync::Arc::clone(&tried);
    let _at_the_end = ReportOnFailure {
        tried: &tried,
        began,
    };
    Runner::new(scheduler, config).run(move || {
        count.schedules.fetch_add(1, Ordering::Relaxed);
        sync::reset_clock();
        sys::boot();
        model();
    });
    tried.ended.store(true, Ordering::Relaxed);
    tried.schedules.load(Ordering::Relaxed)
}

#[derive(Default)]
struct Tried {
    schedules: AtomicUsize,
    ended: AtomicBool,
}

struct ReportOnFailure<'a> {
    tried: &'a Tried,
    began: Instant,
}

impl Drop for ReportOnFailure<'_> {
    fn drop(&mut self) {
        if !self.tried.ended.load(Ordering::Relaxed) {
            println!(
                "failed in schedule {} after {:.2} s",
                self.tried.schedules.load(Ordering::Relaxed),
                self.began.elapsed().as_secs_f64()
            );
        }
    }
}

/// The critical section, which holds one visitor at a time.
#[derive(Debug, Default)]
pub struct Section {
    inside: crate::sync::AtomicU32,
}

impl Section {
    /// Enters, and leaves again after others had an opportunity to enter as well.
    pub fn visit(&self) {
        use crate::sync::Ordering::SeqCst;
        assert_eq!(self.inside.fetch_add(1, SeqCst), 0, "two in the section");
        shuttle::thread::yield_now();
        assert_eq!(self.inside.fetch_sub(1, SeqCst), 1, "two in the section");
    }
}
