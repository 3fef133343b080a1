//! Random numbers from a seed (xorshift64, Marsaglia 2003).

#[derive(Clone, Debug)]
pub struct Random(u64);

impl Random {
    pub fn new(seed: u64, stream: u64) -> Self {
        let mixed =
            (seed ^ stream.wrapping_mul(0x9e37_79b9_7f4a_7c15)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        Random((mixed ^ mixed >> 31) | 1)
    }

    pub fn below(&mut self, limit: u64) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        (self.0 >> 16) % limit
    }

    pub fn once_in(&mut self, n: u64) -> bool {
        self.below(n) == 0
    }
}

/// Stays busy for this many microseconds.
pub fn spin(microseconds: u64) {
    let until = std::time::Instant::now() + std::time::Duration::from_micros(microseconds);
    while std::time::Instant::now() < until {
        std::hint::spin_loop();
    }
}
