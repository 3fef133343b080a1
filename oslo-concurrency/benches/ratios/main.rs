//! Our locks and their peers, measured alternately in one run, so that a noisy machine disturbs
//! both alike.
//!
//! `cargo bench -p oslo-concurrency --bench ratios` prints, for each line, the median of both, the
//! median ratio, its quartiles over the rounds, and the bound that the project sets itself.

mod hand_over;
mod measure;
mod other_process;
mod raw;
mod threads;
mod timed;
mod uncontended;

fn main() {
    if other_process::is_one() {
        return other_process::run();
    }
    let wanted: Vec<String> = std::env::args()
        .skip(1)
        .filter(|argument| !argument.starts_with('-'))
        .collect();
    let parts: [(&str, fn()); 4] = [
        ("uncontended", uncontended::print),
        ("hand-over", hand_over::print),
        ("timed", timed::print),
        ("threads", threads::print),
    ];
    for (name, print) in parts {
        if wanted.is_empty() || wanted.iter().any(|part| part == name) {
            print();
        }
    }
}
