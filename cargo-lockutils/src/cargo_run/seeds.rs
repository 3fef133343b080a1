//! The number of runs, and the seed that each run gets in its environment for the harness.

use std::ffi::OsString;

use crate::cli::TestOptions;
use crate::seed::fresh_seed;
use crate::sys::Status;

/// Maximum number of failed runs to name.
const NAMED: usize = 5;

/// The seeds of all runs.
pub struct Seeds {
    /// `None` without options about seeds or repetition: then no seed is set.
    first: Option<u64>,
    /// `None` for endless repetition.
    runs: Option<u64>,
}

impl Seeds {
    pub fn of(options: &TestOptions) -> Self {
        let repeats = options.runs.is_some() || options.until_failure;
        Seeds {
            first: match options.seed {
                None if repeats => Some(fresh_seed()),
                seed => seed,
            },
            runs: match (options.runs, options.until_failure) {
                (Some(runs), _) => Some(runs.into()),
                (None, false) => Some(1),
                (None, true) => None,
            },
        }
    }

    pub fn are_several(&self) -> bool {
        self.runs != Some(1)
    }

    /// The seed of each run. The first one is the given seed, so that a single run can repeat it.
    pub fn iter(&self) -> impl Iterator<Item = Option<u64>> {
        let first = self.first;
        (0..self.runs.unwrap_or(u64::MAX)).map(move |run| Some(nth(first?, run)))
    }

    pub fn heading(&self, run: u64, seed: Option<u64>) -> String {
        let of = self
            .runs
            .map_or_else(String::new, |runs| format!(" of {runs}"));
        format!("run {run}{of}, {}", word(seed))
    }

    /// The result of several runs, and the command that repeats the first failed one.
    pub fn summary(
        &self,
        failed: &[(u64, Option<u64>, Status)],
        times: u64,
        again: &[OsString],
    ) -> Option<String> {
        if !self.are_several() {
            return None;
        }
        let Some((_, seed, _)) = failed.first() else {
            return Some(format!("all {times} runs passed"));
        };
        let mut named: Vec<String> = failed
            .iter()
            .take(NAMED)
            .map(|(run, seed, status)| format!("run {run} ({}, exit status {status})", word(*seed)))
            .collect();
        if failed.len() > NAMED {
            named.push(format!("{} more", failed.len() - NAMED));
        }
        let mut words: Vec<String> = again
            .iter()
            .map(|word| word.to_string_lossy().into_owned())
            .collect();
        if let Some(seed) = seed {
            words.splice(3..3, ["--seed".to_owned(), format!("{seed:#x}")]);
        }
        Some(format!(
            "{} of {times} runs failed: {}; rerun: {}",
            failed.len(),
            named.join(", "),
            shell_words::join(words)
        ))
    }
}

fn word(seed: Option<u64>) -> String {
    seed.map_or_else(String::new, |seed| format!("seed {seed:#x}"))
}

/// The seed of a run. Those of further runs are spread over all 32 bits (splitmix64).
fn nth(first: u64, run: u64) -> u64 {
    if run == 0 {
        return first;
    }
    let mut z = first.wrapping_add(run.wrapping_mul(0x9e37_79b9_7f4a_7c15));
    z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    (z ^ (z >> 31)) & 0xffff_ffff
}

#[cfg(test)]
mod tests {
    use super::*;

    fn seeds(options: TestOptions) -> Seeds {
        Seeds::of(&options)
    }

    #[test]
    fn one_run_has_a_seed_only_if_one_is_given() {
        let one = seeds(TestOptions::default());
        assert_eq!(one.iter().collect::<Vec<_>>(), [None]);
        let seeded = seeds(TestOptions {
            seed: Some(7),
            ..TestOptions::default()
        });
        assert_eq!(seeded.iter().collect::<Vec<_>>(), [Some(7)]);
        assert!(!seeded.are_several());
    }

    #[test]
    fn several_runs_begin_with_the_given_seed_and_differ() {
        let several = seeds(TestOptions {
            seed: Some(7),
            runs: Some(3),
            ..TestOptions::default()
        });
        let all: Vec<_> = several.iter().collect();
        assert_eq!((all.len(), all[0]), (3, Some(7)));
        assert!(all[0] != all[1] && all[1] != all[2]);
        let endless = seeds(TestOptions {
            until_failure: true,
            ..TestOptions::default()
        });
        assert!(endless.iter().nth(1000).is_some_and(|seed| seed.is_some()));
    }

    #[test]
    fn a_failed_run_is_named_with_the_command_that_repeats_it() {
        let several = seeds(TestOptions {
            seed: Some(7),
            runs: Some(9),
            ..TestOptions::default()
        });
        let again = ["cargo", "lockutils", "test", "-p", "a b"].map(OsString::from);
        let summary = several.summary(&[(4, Some(0x1f), 101)], 9, &again).unwrap();
        assert_eq!(
            summary,
            "1 of 9 runs failed: run 4 (seed 0x1f, exit status 101); rerun: cargo lockutils test \
             --seed 0x1f -p 'a b'"
        );
    }
}
