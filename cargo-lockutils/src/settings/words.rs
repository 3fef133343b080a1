//! Deserializers of values in the configuration.

use std::collections::BTreeMap;
use std::time::Duration;

use lockutils_harness::model::Scenario;
use lockutils_harness::model::Verdict;
use serde::de::{Deserialize, Deserializer, Error};

use crate::cli::values;

/// A command: a list of words, or a string that is split as a shell does.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Words(pub Vec<String>);

impl<'de> Deserialize<'de> for Words {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let words = match OneOrMore::deserialize(deserializer)? {
            OneOrMore::More(words) => words,
            OneOrMore::One(text) => shell_words::split(&text).map_err(D::Error::custom)?,
        };
        if words.is_empty() {
            return Err(D::Error::custom("the command is empty"));
        }
        Ok(Words(words))
    }
}

/// A time, written as on the command line.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Time(pub Duration);

impl<'de> Deserialize<'de> for Time {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        values::time(&text).map(Time).map_err(D::Error::custom)
    }
}

/// The expected verdicts.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Expected(pub Vec<Verdict>);

impl<'de> Deserialize<'de> for Expected {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let words = match OneOrMore::deserialize(deserializer)? {
            OneOrMore::One(word) => vec![word],
            OneOrMore::More(words) => words,
        };
        let known = Verdict::ALL.map(Verdict::word);
        words
            .iter()
            .map(|text| {
                Verdict::ALL
                    .into_iter()
                    .find(|word| word.word() == text)
                    .ok_or_else(|| D::Error::custom(values::unknown("verdict", text, &known)))
            })
            .collect::<Result<_, _>>()
            .map(Expected)
    }
}

/// A string or a list of strings, with a plain error for anything else.
#[derive(serde::Deserialize)]
#[serde(untagged, expecting = "a string or a list of strings")]
enum OneOrMore {
    One(String),
    More(Vec<String>),
}

pub fn scenarios<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Vec<Scenario>, D::Error> {
    all(deserializer, values::stressable)
}

pub fn explorable<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Vec<Scenario>, D::Error> {
    all(deserializer, values::explorable)
}

pub fn expected_of_scenarios<'de, D: Deserializer<'de>>(
    deserializer: D,
) -> Result<BTreeMap<Scenario, Expected>, D::Error> {
    Ok(keyed(deserializer, values::stressable)?
        .into_iter()
        .collect())
}

pub fn expected_of_explorable<'de, D: Deserializer<'de>>(
    deserializer: D,
) -> Result<BTreeMap<Scenario, Expected>, D::Error> {
    Ok(keyed(deserializer, values::explorable)?
        .into_iter()
        .collect())
}

fn all<'de, D: Deserializer<'de>, T>(
    deserializer: D,
    read: impl Fn(&str) -> Result<T, String>,
) -> Result<Vec<T>, D::Error> {
    Vec::<String>::deserialize(deserializer)?
        .iter()
        .map(|text| read(text).map_err(D::Error::custom))
        .collect()
}

fn keyed<'de, D: Deserializer<'de>, T>(
    deserializer: D,
    read: impl Fn(&str) -> Result<T, String>,
) -> Result<Vec<(T, Expected)>, D::Error> {
    BTreeMap::<String, Expected>::deserialize(deserializer)?
        .into_iter()
        .map(|(text, expected)| Ok((read(&text).map_err(D::Error::custom)?, expected)))
        .collect()
}
