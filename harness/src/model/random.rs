//! Random numbers from a seed (xorshift64, Marsaglia 2003).

/// The state after this one, which must not be 0.
pub fn after(mut state: u64) -> u64 {
    state ^= state << 13;
    state ^= state >> 7;
    state ^= state << 17;
    state
}

/// A source of random numbers; the same seed gives the same numbers.
#[cfg(feature = "stress")]
#[derive(Clone, Debug, serde::Serialize, serde::Deserialize)]
pub struct Random(u64);

#[cfg(feature = "stress")]
impl Random {
    /// A source with this seed.
    pub fn new(seed: u64) -> Self {
        Random(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) ^ 0x2545_f491_4f6c_dd1d | 1)
    }

    fn next(&mut self) -> u64 {
        self.0 = after(self.0);
        self.0
    }

    /// An independent source.
    #[cfg(feature = "explore")]
    pub fn split(&mut self) -> Self {
        Random::new(self.next())
    }

    /// A number below `limit`; 0 if `limit` is 0.
    pub fn below(&mut self, limit: u64) -> u64 {
        self.next().checked_rem(limit).unwrap_or(0)
    }

    /// `true` with probability `1/n`.
    pub fn once_in(&mut self, n: u64) -> bool {
        self.below(n) == 0
    }

    /// A random element.
    pub fn choose<T: Copy>(&mut self, from: &[T]) -> T {
        from[self.below(from.len() as u64) as usize]
    }
}
