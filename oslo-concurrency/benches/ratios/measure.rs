//! Medians, quartiles, and a table of them.

use std::time::{Duration, Instant};

/// Sorted figures.
pub struct Spread(Vec<f64>);

impl Spread {
    pub fn of(figures: impl IntoIterator<Item = f64>) -> Self {
        let mut figures: Vec<f64> = figures.into_iter().collect();
        assert!(!figures.is_empty(), "nothing was measured");
        figures.sort_by(f64::total_cmp);
        Spread(figures)
    }

    pub fn quantile(&self, q: f64) -> f64 {
        self.0[((self.0.len() - 1) as f64 * q).round() as usize]
    }

    pub fn median(&self) -> f64 {
        self.quantile(0.5)
    }
}

/// Nanoseconds for each of `n` calls.
pub fn nanoseconds_each(n: u32, mut call: impl FnMut()) -> f64 {
    let start = Instant::now();
    for _ in 0..n {
        call();
    }
    nanoseconds(start.elapsed()) / f64::from(n)
}

pub fn nanoseconds(duration: Duration) -> f64 {
    duration.as_nanos() as f64
}

/// Runs rounds of two measurements, each of which returns one figure; their order alternates.
pub fn in_turns(
    rounds: usize,
    mut peer: impl FnMut() -> f64,
    mut ours: impl FnMut() -> f64,
) -> (Spread, Spread, Spread) {
    let pairs: Vec<(f64, f64)> = (0..rounds)
        .map(|round| {
            if round % 2 == 0 {
                let peer = peer();
                (peer, ours())
            } else {
                let ours = ours();
                (peer(), ours)
            }
        })
        .collect();
    (
        Spread::of(pairs.iter().map(|pair| pair.0)),
        Spread::of(pairs.iter().map(|pair| pair.1)),
        Spread::of(pairs.iter().map(|pair| pair.1 / pair.0)),
    )
}

pub fn title(text: &str) {
    println!("\n{text}");
    println!(
        "{:<46} {:>10} {:>10} {:>6} {:>13}  bound",
        "", "peer", "ours", "ratio", "quartiles"
    );
}

pub fn row(what: &str, unit: &str, figures: &(Spread, Spread, Spread), bound: &str) {
    let (peer, ours, ratio) = figures;
    println!(
        "{what:<46} {:>10} {:>10} {:>6.2} {:>13}  {bound}",
        format!("{:.1} {unit}", peer.median()),
        format!("{:.1} {unit}", ours.median()),
        ratio.median(),
        format!("{:.2} to {:.2}", ratio.quantile(0.25), ratio.quantile(0.75)),
    );
}
