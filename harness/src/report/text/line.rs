//! Lines of limited width, and readable figures.

use std::fmt::Write;

use anstyle::Style;

/// Column at which the evidence of a scenario begins.
pub const INDENT: usize = 31;

/// Text that continues below itself where it would be too wide.
pub struct Line {
    pub text: String,
    pub column: usize,
    pub width: usize,
}

impl Line {
    pub fn add(&mut self, separator: &str, piece: &str, style: Style) {
        let (between, length) = (separator.chars().count(), piece.chars().count());
        if self.column == INDENT {
            self.column += length;
        } else if self.column + between + length <= self.width {
            self.text += separator;
            self.column += between + length;
        } else {
            let _ = write!(self.text, "\n{:INDENT$}", "");
            self.column = INDENT + length;
        }
        let _ = write!(self.text, "{style}{piece}{style:#}");
    }
}

/// A number and its noun, in the singular for one, with a comma after each three digits.
pub fn counted(number: u64, plural: &str) -> String {
    let what = match (number, plural) {
        (1, "forks that exit") => "fork that exits",
        (1, "forks that release") => "fork that releases",
        (1, "wrappers killed") => "wrapper killed",
        (1, "switches") => "switch",
        (1, plural) => plural.strip_suffix('s').unwrap_or(plural),
        (_, plural) => plural,
    };
    format!("{} {what}", count(number))
}

/// A number with a comma after each three digits.
pub fn count(number: u64) -> String {
    let digits = number.to_string();
    let mut text = String::new();
    for (at, digit) in digits.chars().enumerate() {
        if at > 0 && (digits.len() - at).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

/// A time in a suitable unit.
pub fn time(us: f64) -> String {
    let (value, unit) = match us {
        us if us < 1_000.0 => (us, "µs"),
        us if us < 1_000_000.0 => (us / 1e3, "ms"),
        us => (us / 1e6, "s"),
    };
    match value {
        value if value < 10.0 => format!("{value:.1} {unit}"),
        value => format!("{value:.0} {unit}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_readable() {
        assert_eq!(
            (count(7), count(1234), count(1_234_567)),
            ("7".into(), "1,234".into(), "1,234,567".into())
        );
        assert_eq!(
            (time(0.4), time(12.3), time(2_500.0), time(3.2e7)),
            (
                "0.4 µs".into(),
                "12 µs".into(),
                "2.5 ms".into(),
                "32 s".into()
            )
        );
    }
}
