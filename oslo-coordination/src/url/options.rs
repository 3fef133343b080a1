//! The options of a URL. A wrong name is an error that names the right one.

use std::time::Duration;

use super::ServiceUrl;

/// The options that an engine knows.
#[derive(Clone, Copy, Debug)]
pub(crate) struct OptionNames {
    pub(crate) used: &'static [&'static str],
    /// Options of tooz that have no meaning here: the same URL may serve Python too.
    pub(crate) ignored: &'static [&'static str],
    /// Options of tooz that would change the meaning of the URL, and are not supported.
    pub(crate) refused: &'static [&'static str],
}

impl ServiceUrl {
    /// # Errors
    /// Returns a message if the URL has an option that the engine does not know.
    pub(crate) fn check_options(&self, names: OptionNames) -> Result<(), String> {
        for (given, _) in &self.options {
            let is = |name: &&str| name == given;
            if names.used.iter().any(is) || names.ignored.iter().any(is) {
                continue;
            }
            if names.refused.iter().any(is) {
                return Err(format!(
                    "option `{given}` is not supported yet for {}; remove it",
                    self.scheme
                ));
            }
            return Err(self.unknown(given, names));
        }
        Ok(())
    }

    fn unknown(&self, given: &str, names: OptionNames) -> String {
        let nearest = names
            .used
            .iter()
            .map(|name| (strsim::damerau_levenshtein(name, given), name))
            .min();
        match nearest {
            Some((distance, name)) if distance <= 3 && distance < name.len() => {
                format!("there is no option `{given}`; did you mean `{name}`?")
            }
            _ => format!(
                "there is no option `{given}`; {} has {}",
                self.scheme,
                names.used.join(", ")
            ),
        }
    }

    /// The value of an option; the last one if it is given several times.
    pub(crate) fn text(&self, name: &str) -> Option<&str> {
        let given = self.options.iter().rfind(|(given, _)| given == name);
        given.map(|(_, value)| value.as_str())
    }

    /// A positive time in seconds.
    #[allow(dead_code, reason = "for engines with leases")]
    pub(crate) fn seconds(&self, name: &str) -> Result<Option<Duration>, String> {
        let Some(value) = self.text(name) else {
            return Ok(None);
        };
        let seconds = value.parse::<f64>().ok().filter(|seconds| *seconds > 0.0);
        let duration = seconds.and_then(|seconds| Duration::try_from_secs_f64(seconds).ok());
        match duration {
            Some(duration) => Ok(Some(duration)),
            None => Err(format!(
                "{name}={value} is no time; write seconds, as in {name}=30"
            )),
        }
    }

    /// `true` or `false`, as Python's oslo writes them.
    pub(crate) fn flag(&self, name: &str) -> Result<bool, String> {
        let Some(value) = self.text(name) else {
            return Ok(false);
        };
        match value.to_ascii_lowercase().as_str() {
            "1" | "t" | "true" | "on" | "y" | "yes" => Ok(true),
            "0" | "f" | "false" | "off" | "n" | "no" => Ok(false),
            _ => Err(format!(
                "{name}={value} is neither true nor false; write {name}=true"
            )),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NAMES: OptionNames = OptionNames {
        used: &["lock_timeout", "timeout", "ssl"],
        ignored: &["membership_timeout"],
        refused: &["sentinel"],
    };

    fn check(query: &str) -> Result<(), String> {
        let url = ServiceUrl::parse(&format!("redis://h?{query}")).unwrap();
        url.check_options(NAMES)
    }

    #[test]
    fn a_wrong_name_is_answered_with_the_right_one() {
        assert_eq!(check("lock_timeout=1&membership_timeout=2"), Ok(()));
        assert!(
            check("lock_timout=1")
                .unwrap_err()
                .contains("did you mean `lock_timeout`?")
        );
        assert!(
            check("Timeout=1")
                .unwrap_err()
                .contains("did you mean `timeout`?")
        );
        assert!(
            check("colour=1")
                .unwrap_err()
                .contains("redis has lock_timeout, timeout, ssl")
        );
        assert!(
            check("sentinel=m")
                .unwrap_err()
                .contains("not supported yet")
        );
    }

    #[test]
    fn values_are_checked() {
        let url = ServiceUrl::parse("redis://h?a=1.5&b=-1&c=yes&d=maybe&a=2&e=1e300").unwrap();
        assert_eq!(url.seconds("a"), Ok(Some(Duration::from_secs(2))));
        assert_eq!(url.seconds("none"), Ok(None));
        assert!(url.seconds("b").unwrap_err().contains("b=30"));
        assert!(url.seconds("e").is_err());
        assert_eq!((url.flag("c"), url.flag("none")), (Ok(true), Ok(false)));
        assert!(url.flag("d").unwrap_err().contains("d=true"));
    }
}
