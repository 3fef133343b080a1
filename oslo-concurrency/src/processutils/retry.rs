//! The pause between two attempts.

use std::time::Duration;

/// The pause between two attempts: `true` for a random time, `false` for none, or a `Duration`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum RetryDelay {
    /// No pause.
    None,
    /// Random, evenly distributed from 0.2 to 2 seconds, so that commands that fail together do not
    /// retry together.
    #[default]
    Random,
    /// A fixed time.
    Fixed(Duration),
}

const RANDOM_MS: std::ops::RangeInclusive<u64> = 200..=2000;

impl RetryDelay {
    pub(super) fn next(self) -> Duration {
        match self {
            RetryDelay::None => Duration::ZERO,
            RetryDelay::Random => Duration::from_millis(fastrand::u64(RANDOM_MS)),
            RetryDelay::Fixed(delay) => delay,
        }
    }
}

impl From<bool> for RetryDelay {
    fn from(delay: bool) -> Self {
        match delay {
            true => RetryDelay::Random,
            false => RetryDelay::None,
        }
    }
}

impl From<Duration> for RetryDelay {
    fn from(delay: Duration) -> Self {
        RetryDelay::Fixed(delay)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn random_delays_fill_their_range_and_no_more() {
        let delays: Vec<u128> = (0..2000)
            .map(|_| RetryDelay::from(true).next().as_millis())
            .collect();
        let (least, most) = (delays.iter().min().unwrap(), delays.iter().max().unwrap());
        assert!((200..300).contains(least), "{least}");
        assert!((1900..=2000).contains(most), "{most}");
    }

    #[test]
    fn no_delay_and_a_fixed_one() {
        assert_eq!(RetryDelay::from(false).next(), Duration::ZERO);
        assert_eq!(
            RetryDelay::from(Duration::from_millis(7)).next(),
            Duration::from_millis(7)
        );
    }
}
