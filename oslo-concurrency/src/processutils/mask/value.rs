//! The range of a value, quoted or bare.

use std::ops::Range;

use super::keys::skip;

/// `"` or `'`, possibly escaped by backslashes, as in JSON inside a string.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Quote {
    escapes: usize,
    mark: u8,
}

impl Quote {
    /// The quote at `at`, and the position after it.
    pub(super) fn at(text: &[u8], at: usize) -> Option<(Quote, usize)> {
        let mark_at = skip(text, at.min(text.len()), |byte| byte == b'\\');
        match text.get(mark_at) {
            Some(&mark @ (b'"' | b'\'')) => {
                let escapes = mark_at - at;
                Some((Quote { escapes, mark }, mark_at + 1))
            }
            _ => None,
        }
    }

    /// The positions from `from` on at which this quote ends.
    fn ends(self, text: &[u8], from: usize) -> impl Iterator<Item = usize> + '_ {
        let mut backslashes = 0;
        (from..text.len()).filter_map(move |at| {
            let before = std::mem::take(&mut backslashes);
            match text[at] {
                b'\\' => {
                    backslashes = before + 1;
                    None
                }
                byte if byte != self.mark => None,
                _ if self.escapes == 0 => (before % 2 == 0).then_some(at),
                _ => (before == self.escapes).then_some(at - before),
            }
        })
    }

    /// The end of the quote whose content begins at `from`. A secret may contain its own quote, so
    /// an end that a delimiter follows is preferred, on the same line and nearby. An unclosed quote
    /// extends to the end of the line.
    fn end(self, text: &[u8], from: usize) -> usize {
        let line = end_of_line(&text[..text.len().min(from + FAR)], from);
        self.ends(&text[..line], from)
            .find(|end| ends_value(text, end + self.escapes + 1))
            .or_else(|| self.ends(text, from).next())
            .unwrap_or_else(|| end_of_line(text, from))
    }
}

/// Maximum distance to search for a better end of a value. It keeps the time linear in the length
/// of the text.
pub(super) const FAR: usize = 2 * 1024;

pub(super) fn end_of_line(text: &[u8], from: usize) -> usize {
    skip(text, from, |byte| byte != b'\n' && byte != b'\r')
}

/// Returns `true` if the bytes from `at` on can follow a value.
fn ends_value(text: &[u8], at: usize) -> bool {
    text.get(at)
        .is_none_or(|byte| byte.is_ascii_whitespace() || b",}])>;:/&|\\<?.\"'".contains(byte))
}

/// The quoted value at `at`, with an optional `u` or `b` prefix of Python.
pub(super) fn quoted(text: &[u8], at: usize) -> Option<Range<usize>> {
    let marked = matches!(text.get(at), Some(b'u' | b'b'));
    let (quote, inside) = Quote::at(text, at + usize::from(marked))?;
    Some(inside..quote.end(text, inside))
}

/// The word at `at`. A quote ends the word only if it can end a value.
pub(super) fn bare(text: &[u8], at: usize) -> Option<Range<usize>> {
    let mut end = at;
    while let Some(byte) = text.get(end) {
        let over = byte.is_ascii_whitespace()
            || (matches!(byte, b'"' | b'\'') && ends_value(text, end + 1));
        if over {
            break;
        }
        end += 1;
    }
    let quote_ends_it = matches!(text.get(end), Some(b'"' | b'\''));
    while quote_ends_it && end > at && text[end - 1] == b'\\' {
        end -= 1;
    }
    (end > at).then_some(at..end)
}

/// A number or similar scalar in JSON; objects, lists and keywords are not secrets.
pub(super) fn json(text: &[u8], at: usize) -> Option<Range<usize>> {
    let end = skip(text, at, |byte| {
        !byte.is_ascii_whitespace() && !b",}]{[\"'".contains(&byte)
    });
    let word = &text[at..end];
    let plain = [
        &b""[..],
        b"null",
        b"true",
        b"false",
        b"None",
        b"True",
        b"False",
    ];
    (!plain.contains(&word)).then_some(at..end)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn inside(text: &str) -> &str {
        &text[quoted(text.as_bytes(), 0).unwrap()]
    }

    #[test]
    fn a_quote_inside_does_not_end_it() {
        assert_eq!(inside(r#""plain", "x""#), "plain");
        assert_eq!(inside(r#""a"b" x"#), r#"a"b"#);
        assert_eq!(inside(r#""a\"b", 1"#), r#"a\"b"#);
        assert_eq!(inside(r#"u'x'}"#), "x");
        assert_eq!(inside(r#"\"x\", \"y\""#), "x");
        assert_eq!(inside("'one\ntwo' x"), "one\ntwo");
        assert_eq!(inside("'no end\nmore"), "no end");
    }

    #[test]
    fn a_bare_word_ends_at_a_space_or_a_closing_quote() {
        let word = |text: &'static str| bare(text.as_bytes(), 0).map(|word| &text[word]);
        assert_eq!(word("a^b c"), Some("a^b"));
        assert_eq!(word("a\"b c"), Some("a\"b"));
        assert_eq!(word("a\", c"), Some("a"));
        assert_eq!(word("a\\\", c"), Some("a"));
        assert_eq!(word(" a"), None);
    }
}
