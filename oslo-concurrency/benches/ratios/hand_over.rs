//! Hand-over from a release here to an acquire in a waiting process.

use crate::measure::{in_turns, title};
use crate::other_process::{Kind, Other, now};
use crate::raw::RawOfd;
use std::cell::RefCell;

const ROUNDS: usize = 401;

pub fn print() {
    title("hand-over between two processes, µs from release to acquired");
    let directory = tempfile::tempdir().expect("a directory for the lock files");
    let file = directory.path().join("file");
    let holder = RawOfd::open(&file);
    let other = RefCell::new(Other::start(&file));
    let hand_over = |kind| {
        holder.lock();
        let mut other = other.borrow_mut();
        other.ask(kind);
        let released = now();
        holder.unlock();
        (other.acquired() - released) as f64 / 1_000.0
    };
    for (what, kind, bound) in [
        ("acquire to raw F_OFD_SETLKW", Kind::Ours, "at most 1.5"),
        (
            "acquire_timeout to raw F_OFD_SETLKW",
            Kind::OursTimed,
            "at most 3",
        ),
    ] {
        let figures = in_turns(ROUNDS, || hand_over(Kind::Raw), || hand_over(kind));
        // Single hand-overs vary by a factor; only the medians of many are comparable.
        println!(
            "{:<46} {:>10} {:>10} {:>6.2} {:>13}  {bound}",
            what,
            format!("{:.1} µs", figures.0.median()),
            format!("{:.1} µs", figures.1.median()),
            figures.1.median() / figures.0.median(),
            format!(
                "p25 {:.2} p75 {:.2}",
                figures.1.quantile(0.25) / figures.0.quantile(0.25),
                figures.1.quantile(0.75) / figures.0.quantile(0.75)
            ),
        );
    }
}
