//! Parsers of values on the command line and in the configuration.

use std::time::Duration;

use lockutils_harness::engines::Engine;
use lockutils_harness::explore::Choice;
use lockutils_harness::model::Scenario;

/// Parses a time such as `20s`, `1.5s`, `800us` or `2m`. A number without a unit is seconds.
pub fn time(text: &str) -> Result<Duration, String> {
    let at = text
        .find(|c: char| !c.is_ascii_digit() && c != '.')
        .unwrap_or(text.len());
    let (number, unit) = text.split_at(at);
    let advice =
        || "a time is a number and a unit (us, ms, s, m, h), such as 20s or 1.5m".to_owned();
    let scale = match unit {
        "us" | "µs" => 1e-6,
        "ms" => 1e-3,
        "" | "s" => 1.0,
        "m" | "min" => 60.0,
        "h" => 3600.0,
        _ => return Err(advice()),
    };
    let number: f64 = number.parse().map_err(|_| advice())?;
    Duration::try_from_secs_f64(number * scale).map_err(|_| advice())
}

pub fn seed(text: &str) -> Result<u64, String> {
    match text.strip_prefix("0x") {
        Some(digits) => u64::from_str_radix(digits, 16),
        None => text.parse(),
    }
    .map_err(|_| "a seed is a whole number, such as 4711 or 0x5eed".to_owned())
}

fn scenario(text: &str) -> Result<Scenario, String> {
    one_of("scenario", text, &Scenario::ALL, |scenario| scenario.word())
}

pub fn strategy(text: &str) -> Result<Choice, String> {
    one_of("strategy", text, &Choice::ALL, |choice| choice.word())
}

/// Parses a scenario that `stress` supports.
pub fn stressable(text: &str) -> Result<Scenario, String> {
    among(text, Scenario::stressable(), "explore", "stress")
}

/// Parses a scenario that `explore` supports.
pub fn explorable(text: &str) -> Result<Scenario, String> {
    among(text, Scenario::explorable(), "stress", "explore")
}

/// Parses one of the scenarios of this command; the others belong to `other`.
fn among(
    text: &str,
    all: impl Iterator<Item = Scenario>,
    other: &str,
    command: &str,
) -> Result<Scenario, String> {
    let all: Vec<Scenario> = all.collect();
    if scenario(text).is_ok_and(|known| !all.contains(&known)) {
        let words: Vec<&str> = all.iter().map(|scenario| scenario.word()).collect();
        return Err(format!(
            "only `{other}` has this scenario; `{command}` has: {}",
            words.join(", ")
        ));
    }
    one_of("scenario", text, &all, |scenario| scenario.word())
}

fn one_of<T: Copy>(
    what: &str,
    text: &str,
    all: &[T],
    word: impl Fn(T) -> &'static str,
) -> Result<T, String> {
    all.iter()
        .copied()
        .find(|one| word(*one) == text)
        .ok_or_else(|| {
            let known: Vec<&str> = all.iter().map(|one| word(*one)).collect();
            unknown(what, text, &known)
        })
}

/// The engine of servers with this name.
pub fn engine(text: &str) -> Result<Engine, String> {
    Engine::find(text).map_err(|_| {
        let known = Engine::names();
        let known: Vec<&str> = known.iter().map(String::as_str).collect();
        unknown("engine", text, &known)
    })
}

/// The message for an unknown word: the likely one, and all known ones.
pub fn unknown(what: &str, text: &str, known: &[&str]) -> String {
    let meant = match did_you_mean(text, known) {
        Some(meant) => format!("did you mean `{meant}`? "),
        None => String::new(),
    };
    format!(
        "unknown {what} `{text}`; {meant}known: {}",
        known.join(", ")
    )
}

/// The known word that is most similar to `wrong`, if one is similar enough.
pub fn did_you_mean<'a>(wrong: &str, known: &[&'a str]) -> Option<&'a str> {
    let alike = |known: &str| strsim::jaro_winkler(wrong, known);
    known
        .iter()
        .copied()
        .filter(|known| alike(known) > 0.8)
        .max_by(|a, b| alike(a).total_cmp(&alike(b)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_and_seeds_are_read() {
        for (text, micros) in [
            ("20s", 20_000_000),
            ("1.5", 1_500_000),
            ("800us", 800),
            ("2m", 120_000_000),
            ("3ms", 3000),
        ] {
            assert_eq!(time(text), Ok(Duration::from_micros(micros)), "{text}");
        }
        for text in [
            "",
            "s",
            "-1s",
            "1 s",
            "1y",
            "1.2.3s",
            "99999999999999999999h",
        ] {
            assert!(time(text).is_err(), "{text}");
        }
        assert_eq!((seed("0x5eed"), seed("12")), (Ok(0x5eed), Ok(12)));
        assert!(seed("soon").is_err() && stressable("explode").is_err());
        let crash = stressable("crash").unwrap_err();
        assert!(
            crash.starts_with("only `explore` has this scenario; `stress` has: contend, "),
            "{crash}"
        );
        assert_eq!(explorable("crash"), Ok(Scenario::Crash));
    }
}
