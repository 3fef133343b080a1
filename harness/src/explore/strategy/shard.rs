//! Shards: disjoint parts of a search, for several machines.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

/// One of several parts of a search. Its text is `3/16` for the third of sixteen.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Shard {
    /// From 0.
    index: usize,
    count: usize,
}

/// The text is not a shard.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("a shard is a number from 1 and the number of shards, such as 3/16")]
pub struct NotAShard;

impl Shard {
    /// The whole search.
    pub const WHOLE: Shard = Shard { index: 0, count: 1 };

    /// Maximum number of shards.
    const MOST: usize = 1_000;

    /// Number of shards.
    pub fn count(self) -> usize {
        self.count
    }

    /// Position among the shards, from 0.
    pub fn index(self) -> usize {
        self.index
    }

    /// Returns `true` if this shard is the whole search.
    pub fn is_whole(self) -> bool {
        self.count == 1
    }

    /// Returns `true` if the part of the search that begins with this deviation from the default
    /// schedule belongs to this shard: the actor, and the number of steps before it.
    pub fn has(self, actor: usize, step: usize) -> bool {
        (31 * actor + step) % self.count == self.index
    }

    /// Of this many consecutive plans of a random strategy, takes the one of this shard.
    pub fn take<T>(self, mut make: impl FnMut() -> T) -> T {
        for _ in 0..self.index {
            make();
        }
        let taken = make();
        for _ in self.index + 1..self.count {
            make();
        }
        taken
    }
}

impl FromStr for Shard {
    type Err = NotAShard;

    fn from_str(text: &str) -> Result<Self, NotAShard> {
        let (number, count) = text.split_once('/').ok_or(NotAShard)?;
        let number: usize = number.parse().map_err(|_| NotAShard)?;
        let count: usize = count.parse().map_err(|_| NotAShard)?;
        match number {
            1.. if number <= count && count <= Self::MOST => Ok(Shard {
                index: number - 1,
                count,
            }),
            _ => Err(NotAShard),
        }
    }
}

impl fmt::Display for Shard {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.index + 1, self.count)
    }
}

impl TryFrom<String> for Shard {
    type Error = NotAShard;

    fn try_from(text: String) -> Result<Self, NotAShard> {
        text.parse()
    }
}

impl From<Shard> for String {
    fn from(shard: Shard) -> String {
        shard.to_string()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_shard_is_read_as_it_is_written_and_nothing_else_is() {
        for text in ["1/1", "3/16", "16/16"] {
            assert_eq!(text.parse::<Shard>().unwrap().to_string(), text);
        }
        for text in [
            "", "3", "0/4", "5/4", "a/b", "1/0", "1/1001", "-1/2", "1/2/3",
        ] {
            assert_eq!(text.parse::<Shard>(), Err(NotAShard), "{text}");
        }
    }

    #[test]
    fn each_deviation_and_each_plan_belongs_to_exactly_one_shard() {
        let all: Vec<Shard> = (1..=7).map(|n| format!("{n}/7").parse().unwrap()).collect();
        for actor in 0..4 {
            for step in 0..60 {
                let owners = all.iter().filter(|shard| shard.has(actor, step)).count();
                assert_eq!(owners, 1, "{actor} {step}");
            }
        }
        let mut taken: Vec<usize> = Vec::new();
        for shard in &all {
            let mut made = 0..;
            let mut make = || made.next().unwrap_or(0);
            taken.push(shard.take(&mut make));
            taken.push(shard.take(&mut make));
        }
        taken.sort_unstable();
        assert_eq!(taken, (0..14).collect::<Vec<usize>>());
    }
}
