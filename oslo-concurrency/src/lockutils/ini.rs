//! A service's configuration file, read as oslo.config reads it (`oslo_config/iniparser.py` and
//! `cfg.py`).

use std::collections::HashMap;

/// The section of options for all sections.
const DEFAULT: &str = "DEFAULT";

/// Maximum number of references in one value. References that double at each step would take
/// forever, and a long chain would overflow the stack.
pub(super) const MOST_REFERENCES: usize = 100;

/// The options of a file. If an option is set more than once, the last value counts.
#[derive(Debug, Default)]
pub(super) struct Ini(HashMap<(String, String), Value>);

/// A value as written in the file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Value {
    pub(super) line: usize,
    pub(super) text: String,
}

/// A line that is not valid in this format.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct BadLine {
    pub(super) line: usize,
    pub(super) reason: &'static str,
}

/// The reason why the references of a value cannot be resolved.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum BadReference {
    /// The file does not set the option.
    NotSet(String),
    /// The value refers to itself, directly or not.
    Circular(String),
    /// There are more than [`MOST_REFERENCES`].
    TooMany,
}

impl Ini {
    pub(super) fn parse(text: &str) -> Result<Self, BadLine> {
        let mut ini = Ini::default();
        let mut section: Option<String> = None;
        // An option whose value may continue on the next line.
        let mut open: Option<(String, Value)> = None;
        let text = text.strip_prefix('\u{feff}').unwrap_or(text);
        for (line, content) in (1..).zip(text.lines()) {
            let bad = |reason| BadLine { line, reason };
            let content = content.trim_end();
            if content.starts_with([' ', '\t']) {
                let (_, value) = open
                    .as_mut()
                    .ok_or(bad("it is indented, and there is no value to go on with"))?;
                value.text.push('\n');
                value.text.push_str(content.trim_start());
                continue;
            }
            ini.close(section.as_deref(), open.take())?;
            if let Some(name) = content.strip_prefix('[') {
                let name = name
                    .strip_suffix(']')
                    .ok_or(bad("a section ends with `]`"))?;
                if name.is_empty() {
                    return Err(bad("the section has no name"));
                }
                section = Some(normalized(name));
            } else if !content.is_empty() && !content.starts_with(['#', ';']) {
                let (option, value) = content.split_once(['=', ':']).ok_or(bad(
                    "it is neither a section, an option with `=`, nor a comment",
                ))?;
                if option.trim().is_empty() {
                    return Err(bad("the option has no name"));
                }
                let text = unquoted(value.trim()).to_owned();
                open = Some((option.trim().to_owned(), Value { line, text }));
            }
        }
        ini.close(section.as_deref(), open)?;
        Ok(ini)
    }

    fn close(
        &mut self,
        section: Option<&str>,
        open: Option<(String, Value)>,
    ) -> Result<(), BadLine> {
        if let Some((option, value)) = open {
            let section = section.ok_or(BadLine {
                line: value.line,
                reason: "no section has begun; write [DEFAULT] before it",
            })?;
            self.0.insert((section.to_owned(), option), value);
        }
        Ok(())
    }

    pub(super) fn value(&self, section: &str, option: &str) -> Option<&Value> {
        self.0.get(&(normalized(section), option.to_owned()))
    }

    /// The value of an option with its references resolved: `$name`, `${name}` and `$section.name`.
    /// A name without a section is looked up in `section` and then in `[DEFAULT]`. `$$` and `\$`
    /// are a dollar sign.
    pub(super) fn get(
        &self,
        section: &str,
        option: &str,
    ) -> Option<Result<Value, (usize, BadReference)>> {
        let value = self.value(section, option)?;
        let mut path = Path {
            options: vec![(normalized(section), option.to_owned())],
            references: 0,
        };
        Some(match self.substitute(&value.text, section, &mut path) {
            Ok(text) => Ok(Value {
                line: value.line,
                text,
            }),
            Err(bad) => Err((value.line, bad)),
        })
    }

    fn substitute(
        &self,
        text: &str,
        section: &str,
        path: &mut Path,
    ) -> Result<String, BadReference> {
        let text = text.replace(r"\$", "$$");
        let mut whole = String::new();
        let mut rest = text.as_str();
        while let Some((before, after)) = rest.split_once('$') {
            whole.push_str(before);
            rest = match reference(after) {
                Reference::Dollar(rest) => {
                    whole.push('$');
                    rest
                }
                Reference::To(name, rest) => {
                    whole.push_str(&self.referred(name, section, path)?);
                    rest
                }
            };
        }
        whole.push_str(rest);
        Ok(whole)
    }

    fn referred(&self, name: &str, section: &str, path: &mut Path) -> Result<String, BadReference> {
        path.references += 1;
        if path.references > MOST_REFERENCES {
            return Err(BadReference::TooMany);
        }
        let in_a_section = match name.split_once('.') {
            Some((DEFAULT, _)) => None, // oslo.config does not take it either
            Some(of_another) => Some(of_another),
            None => Some((section, name)),
        };
        let (section, option, value) = in_a_section
            .into_iter()
            .chain([(DEFAULT, name)])
            .find_map(|(section, option)| Some((section, option, self.value(section, option)?)))
            .ok_or_else(|| BadReference::NotSet(name.to_owned()))?;
        let step = (normalized(section), option.to_owned());
        if path.options.contains(&step) {
            return Err(BadReference::Circular(name.to_owned()));
        }
        path.options.push(step);
        let text = self.substitute(&value.text, section, path)?;
        path.options.pop();
        Ok(text)
    }
}

/// The option whose references are being resolved.
struct Path {
    options: Vec<(String, String)>,
    /// The number of references followed so far.
    references: usize,
}

enum Reference<'t> {
    /// A literal dollar sign.
    Dollar(&'t str),
    To(&'t str, &'t str),
}

/// The text after a dollar sign.
fn reference(after: &str) -> Reference<'_> {
    if let Some(rest) = after.strip_prefix('$') {
        return Reference::Dollar(rest);
    }
    if let Some((name, rest)) = after
        .strip_prefix('{')
        .and_then(|braced| braced.split_once('}'))
    {
        if name_length(name) == name.len() && !name.is_empty() {
            return Reference::To(name, rest);
        }
    }
    match name_length(after) {
        0 => Reference::Dollar(after),
        end => Reference::To(&after[..end], &after[end..]),
    }
}

/// The length of the name at the beginning: letters, digits, `_` and `.`, the first neither a digit
/// nor a dot.
fn name_length(text: &str) -> usize {
    if !text.starts_with(|c: char| c.is_ascii_alphabetic() || c == '_') {
        return 0;
    }
    text.find(|c: char| !(c.is_ascii_alphanumeric() || c == '_' || c == '.'))
        .unwrap_or(text.len())
}

/// The name of a section without regard to case, except for `[DEFAULT]`.
fn normalized(section: &str) -> String {
    if section == DEFAULT {
        section.to_owned()
    } else {
        section.to_lowercase()
    }
}

fn unquoted(value: &str) -> &str {
    ['"', '\'']
        .into_iter()
        .find_map(|quote| value.strip_prefix(quote)?.strip_suffix(quote))
        .unwrap_or(value)
}

/// Properties of any text, for random tests and for the programs in `fuzz/`.
#[cfg(all(any(test, fuzzing), target_os = "linux"))]
pub mod properties {
    use super::*;

    /// A file and its options are read, or refused with a valid line number.
    pub fn ini(text: &str) {
        let lines = text.lines().count();
        let ini = match Ini::parse(text) {
            Ok(ini) => ini,
            Err(bad) => {
                assert!((1..=lines).contains(&bad.line), "{bad:?} of {lines} lines");
                assert!(!bad.reason.is_empty());
                return;
            }
        };
        for ((section, option), value) in &ini.0 {
            assert!(
                (1..=lines).contains(&value.line),
                "{value:?} of {lines} lines"
            );
            match ini.get(section, option) {
                Some(Ok(read)) => {
                    assert_eq!(read.line, value.line);
                    let limit = (MOST_REFERENCES + 1) * text.len();
                    assert!(read.text.len() <= limit, "{} bytes", read.text.len());
                    let plain = !value.text.contains('$');
                    assert!(!plain || read.text == value.text);
                }
                Some(Err((line, _))) => assert_eq!(line, value.line),
                None => panic!("[{section}] {option} is in the file, and not found"),
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn get(text: &str, section: &str, option: &str) -> Option<String> {
        let ini = Ini::parse(text).unwrap();
        ini.get(section, option).map(|value| value.unwrap().text)
    }

    #[test]
    fn sections_comments_and_duplicates() {
        let text =
            "# c\n; c\n[DEFAULT]\na = 1\n\n[other]\na = 2\n[DEFAULT]\na: 3 # no comment\nb == =\n";
        assert_eq!(get(text, "DEFAULT", "a").unwrap(), "3 # no comment");
        assert_eq!(get(text, "OTHER", "a").unwrap(), "2");
        assert_eq!(get(text, "DEFAULT", "b").unwrap(), "= =");
        assert_eq!(get(text, "default", "a"), None, "DEFAULT is upper case");
        let value = Ini::parse(text)
            .unwrap()
            .get("other", "a")
            .unwrap()
            .unwrap();
        assert_eq!(value.line, 7);
    }

    #[test]
    fn values_go_on_in_indented_lines_and_end_with_a_blank_line() {
        let text = "[s]\na = 1\n  2\n\t3  \n\nb =\n  4\n";
        assert_eq!(get(text, "s", "a").unwrap(), "1\n2\n3");
        assert_eq!(get(text, "s", "b").unwrap(), "\n4");
        for text in ["[s]\n x\n", "[s]\na = 1\n\n x\n", "[s]\na = 1\n# c\n x\n"] {
            let bad = Ini::parse(text).unwrap_err();
            assert!(bad.reason.contains("indented"), "{text}: {bad:?}");
        }
    }

    #[test]
    fn a_mark_of_the_encoding_and_line_ends_of_windows_are_no_part_of_it() {
        let text = "\u{feff}[s]\r\na = 1\r\nb = '2'\r\nc = \"x\r\n";
        assert_eq!(get(text, "s", "a").unwrap(), "1");
        assert_eq!(get(text, "s", "b").unwrap(), "2");
        assert_eq!(get(text, "s", "c").unwrap(), "\"x");
    }

    #[test]
    fn a_text_that_is_no_ini_file_is_an_error_with_its_line() {
        for (text, line) in [
            ("a = 1\n", 1),
            ("[s]\nnonsense\n", 2),
            ("[s\n", 1),
            ("[]\n", 1),
            ("[s]\n\n= 1\n", 3),
        ] {
            assert_eq!(Ini::parse(text).unwrap_err().line, line, "{text}");
        }
    }

    #[test]
    fn references_are_put_in() {
        let text = "[DEFAULT]\nroot = /var\nstate = $root/lib\nd = no\n[s]\nd = yes\n\
                    a = $state/tmp\nb = ${state}s\nc = $d $other.d\ne = $$x \\$y $ 5$ \
                    ${ $1\n[other]\nd = maybe\n";
        for (option, value) in [
            ("a", "/var/lib/tmp"),
            ("b", "/var/libs"),
            ("c", "yes maybe"),
            ("e", "$x $y $ 5$ ${ $1"),
        ] {
            assert_eq!(get(text, "s", option).unwrap(), value, "{option}");
        }
    }

    #[test]
    fn references_that_lead_nowhere_are_errors() {
        let text = "[DEFAULT]\na = $b\nb = $a\nc = $state_path/x\nd = $d\n";
        let ini = Ini::parse(text).unwrap();
        let bad = |option: &str| ini.get("DEFAULT", option).unwrap().unwrap_err();
        assert_eq!(bad("a"), (2, BadReference::Circular("a".into())));
        assert_eq!(bad("c"), (4, BadReference::NotSet("state_path".into())));
        assert_eq!(bad("d"), (5, BadReference::Circular("d".into())));
    }

    /// Each option refers to the next, once or twice.
    fn chain(length: usize, references: &str) -> String {
        let option = |at: usize| {
            format!(
                "o{at} = {}\n",
                references.replace('N', &(at + 1).to_string())
            )
        };
        let options: String = (0..length).map(option).collect();
        format!("[s]\n{options}o{length} =\n")
    }

    #[test]
    fn references_without_measure_are_refused_at_once() {
        let get = |text: &str| Ini::parse(text).unwrap().get("s", "o0").unwrap();
        assert_eq!(get(&chain(20, "$oN")).unwrap().text, "");
        for text in [chain(40, "$oN$oN"), chain(100_000, "$oN")] {
            assert_eq!(get(&text), Err((2, BadReference::TooMany)));
        }
    }
}
