//! Counts and times of one scenario, in bounded memory.

use std::collections::BTreeMap;

use hdrhistogram::Histogram;
use serde::{Deserialize, Serialize};

use crate::model::{Bucket, FaultCount, Quoted, Waits};

/// Longest time that is recorded, in nanoseconds.
const HOUR: u64 = 3_600_000_000_000;
/// Maximum number of different messages kept.
const DIFFERENT: usize = 12;
/// Maximum number of characters of a message.
const LONGEST_QUOTE: usize = 600;

#[derive(Debug)]
pub struct Statistics {
    waits: Histogram<u64>,
    hand_overs: Histogram<u64>,
    /// Sections of each slot of each worker.
    pub sections: Vec<u64>,
    pub busy: u64,
    pub timed_out: u64,
    /// Holds that ended with a lost lock, as the library reported.
    pub lost: u64,
    errors: Quotes,
    notes: Quotes,
    faults: BTreeMap<&'static str, u64>,
}

impl Statistics {
    pub fn new(slots: usize) -> Self {
        let histogram = || Histogram::new_with_bounds(1, HOUR, 2).expect("the bounds are sound");
        Statistics {
            waits: histogram(),
            hand_overs: histogram(),
            sections: vec![0; slots],
            busy: 0,
            timed_out: 0,
            lost: 0,
            errors: Quotes::default(),
            notes: Quotes::default(),
            faults: BTreeMap::new(),
        }
    }

    pub fn waited(&mut self, nanoseconds: u64) {
        self.waits.saturating_record(nanoseconds.max(1));
    }

    pub fn handed_over(&mut self, nanoseconds: u64) {
        self.hand_overs.saturating_record(nanoseconds.max(1));
    }

    pub fn fault(&mut self, name: &'static str) {
        *self.faults.entry(name).or_default() += 1;
    }

    pub fn error(&mut self, text: impl AsRef<str>) {
        self.errors.add(text.as_ref());
    }

    pub fn note(&mut self, text: impl AsRef<str>) {
        self.notes.add(text.as_ref());
    }

    pub fn all_sections(&self) -> u64 {
        self.sections.iter().sum()
    }

    pub fn has_errors(&self) -> bool {
        !self.errors.is_empty()
    }

    /// Messages with their counts, the most frequent first.
    pub fn errors(&self) -> Vec<Quoted> {
        self.errors.all()
    }

    pub fn notes(&self) -> Vec<Quoted> {
        self.notes.all()
    }

    pub fn faults(&self) -> Vec<FaultCount> {
        let fault = |(&name, &count): (&&'static str, &u64)| FaultCount {
            name: name.into(),
            count,
        };
        self.faults.iter().map(fault).collect()
    }

    pub fn waits(&self) -> Option<Waits> {
        summary(&self.waits)
    }

    pub fn hand_overs(&self) -> Option<Waits> {
        summary(&self.hand_overs)
    }

    /// Number of waits below each power of two of microseconds.
    pub fn histogram(&self) -> Vec<Bucket> {
        self.waits
            .iter_log(1_000, 2.0)
            .map(|step| Bucket {
                below_us: (step.value_iterated_to() + 1) as f64 / 1e3,
                count: step.count_since_last_iteration(),
            })
            .collect()
    }

    /// Jain's fairness index: 1 if all slots entered equally often, 1/n if only one entered.
    pub fn fairness(&self) -> Option<f64> {
        let sum: f64 = self.sections.iter().map(|n| *n as f64).sum();
        let squares: f64 = self.sections.iter().map(|n| (*n as f64).powi(2)).sum();
        (squares > 0.0).then(|| sum * sum / (self.sections.len() as f64 * squares))
    }
}

/// Messages with their counts. Texts that differ only in digits count as one.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub struct Quotes(BTreeMap<String, u64>);

impl Quotes {
    /// Adds a message.
    pub fn add(&mut self, text: &str) {
        let text: String = text.chars().take(LONGEST_QUOTE).collect();
        let shape = |text: &str| text.replace(|c: char| c.is_ascii_digit(), "");
        let known = self
            .0
            .keys()
            .find(|known| shape(known) == shape(&text))
            .cloned();
        let key = match known {
            Some(known) => known,
            None if self.0.len() >= DIFFERENT => "others, worded differently".to_owned(),
            None => text,
        };
        *self.0.entry(key).or_default() += 1;
    }

    /// Messages with their counts, the most frequent first.
    pub fn all(&self) -> Vec<Quoted> {
        let mut all: Vec<Quoted> = self
            .0
            .iter()
            .map(|(text, count)| Quoted {
                text: text.clone(),
                count: *count,
            })
            .collect();
        all.sort_by_key(|quoted| std::cmp::Reverse(quoted.count));
        all
    }

    fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

fn summary(histogram: &Histogram<u64>) -> Option<Waits> {
    let us = |nanoseconds: u64| nanoseconds as f64 / 1e3;
    (!histogram.is_empty()).then(|| Waits {
        count: histogram.len(),
        p50_us: us(histogram.value_at_quantile(0.5)),
        p99_us: us(histogram.value_at_quantile(0.99)),
        max_us: us(histogram.max()),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn errors_that_differ_in_numbers_only_are_one() {
        let mut statistics = Statistics::new(1);
        for number in 0..1000 {
            statistics.error(format!("no such file: /tmp/{number}"));
        }
        statistics.error("disk full");
        let errors = statistics.errors();
        assert_eq!((errors.len(), errors[0].count), (2, 1000));
        for word in 'a'..='z' {
            statistics.error(word.to_string());
        }
        assert!(statistics.errors().len() <= DIFFERENT + 1);
    }

    #[test]
    fn fairness_is_one_if_all_are_equal() {
        let mut statistics = Statistics::new(4);
        assert_eq!(statistics.fairness(), None);
        statistics.sections = vec![5; 4];
        assert_eq!(statistics.fairness(), Some(1.0));
        statistics.sections = vec![8, 0, 0, 0];
        assert_eq!(statistics.fairness(), Some(0.25));
    }
}
