//! Profiles: named sets of limits and load.

use std::collections::BTreeMap;
use std::time::Duration;

use anyhow::{Result, anyhow};
use serde::de::{Deserialize, Deserializer, Error};

use super::words::Time;
use crate::cli::values;

/// The settings of a profile. Command-line options override them.
#[derive(Clone, Debug, Default, PartialEq, serde::Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case", default)]
pub struct Profile {
    /// Time limit of `stress` for each lock.
    pub duration: Option<Time>,
    /// Time limit of `explore` for each lock.
    #[serde(alias = "budget")]
    pub explore_duration: Option<Time>,
    pub schedules: Option<usize>,
    pub seed: Option<Seed>,
    #[serde(alias = "processes")]
    pub workers: Option<u16>,
    pub threads: Option<u16>,
    pub hold: Option<Time>,
    pub deny_hazards: bool,
}

/// The seed of a profile.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Seed {
    /// A fresh seed for each run, which is printed.
    Random,
    Fixed(u64),
}

impl<'de> Deserialize<'de> for Seed {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        #[derive(serde::Deserialize)]
        #[serde(
            untagged,
            expecting = "a whole number, a string such as \"0x5eed\", or \"random\""
        )]
        enum Written {
            Number(u64),
            Text(String),
        }
        match Written::deserialize(deserializer)? {
            Written::Number(number) => Ok(Seed::Fixed(number)),
            Written::Text(text) if text == "random" => Ok(Seed::Random),
            Written::Text(text) => values::seed(&text)
                .map(Seed::Fixed)
                .map_err(|why| D::Error::custom(format!("{why}, or \"random\""))),
        }
    }
}

/// Short, with a fixed seed: a change must not fail because of an unlucky seed.
fn pull_request() -> Profile {
    Profile {
        duration: Some(Time(Duration::from_secs(10))),
        explore_duration: Some(Time(Duration::from_secs(20))),
        seed: Some(Seed::Fixed(1)),
        ..Profile::default()
    }
}

/// Long, with a fresh seed each night.
fn nightly() -> Profile {
    Profile {
        duration: Some(Time(Duration::from_secs(600))),
        explore_duration: Some(Time(Duration::from_secs(600))),
        schedules: Some(1_000_000),
        seed: Some(Seed::Random),
        ..Profile::default()
    }
}

impl Profile {
    /// The profile with this name; configured values override those of a built-in profile.
    pub fn find(name: &str, configured: &BTreeMap<String, Profile>) -> Result<Profile> {
        let along = match name {
            "pull-request" => Some(pull_request()),
            "nightly" => Some(nightly()),
            _ => None,
        };
        match (along, configured.get(name)) {
            (None, None) => {
                let mut known: Vec<&str> = configured.keys().map(String::as_str).collect();
                known.extend(["pull-request", "nightly"]);
                known.sort_unstable();
                known.dedup();
                Err(anyhow!("{}", values::unknown("profile", name, &known)))
            }
            (Some(along), None) => Ok(along),
            (None, Some(own)) => Ok(own.clone()),
            (Some(along), Some(own)) => Ok(own.clone().over(along)),
        }
    }

    fn over(self, other: Profile) -> Profile {
        Profile {
            duration: self.duration.or(other.duration),
            explore_duration: self.explore_duration.or(other.explore_duration),
            schedules: self.schedules.or(other.schedules),
            seed: self.seed.or(other.seed),
            workers: self.workers.or(other.workers),
            threads: self.threads.or(other.threads),
            hold: self.hold.or(other.hold),
            deny_hazards: self.deny_hazards || other.deny_hazards,
        }
    }

    /// The seed, if it is fixed.
    pub fn fixed_seed(&self) -> Option<u64> {
        match self.seed {
            Some(Seed::Fixed(seed)) => Some(seed),
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_configured_profile_changes_only_what_it_names() {
        let own: Profile = toml::from_str("duration = '1m'").unwrap();
        let configured = BTreeMap::from([("nightly".to_owned(), own)]);
        let nightly = Profile::find("nightly", &configured).unwrap();
        assert_eq!(nightly.duration, Some(Time(Duration::from_secs(60))));
        assert_eq!(
            nightly.explore_duration,
            Some(Time(Duration::from_secs(600)))
        );
        let wrong = Profile::find("nigthly", &configured).unwrap_err();
        assert!(
            wrong.to_string().contains("did you mean `nightly`?"),
            "{wrong}"
        );
    }

    #[test]
    fn a_seed_is_a_number_or_random() {
        for (text, seed) in [
            ("seed = 7", Seed::Fixed(7)),
            ("seed = '0x5eed'", Seed::Fixed(0x5eed)),
            ("seed = 'random'", Seed::Random),
        ] {
            assert_eq!(toml::from_str::<Profile>(text).unwrap().seed, Some(seed));
        }
        assert!(toml::from_str::<Profile>("seed = 'soon'").is_err());
    }
}
