//! Contents and names of files for a report.

/// Bytes as text of at most `longest` characters: what is not printable, or changes the direction of
/// the text, is escaped.
pub fn printable(bytes: &[u8], longest: usize) -> String {
    let mut text = String::new();
    for (count, c) in String::from_utf8_lossy(bytes).chars().enumerate() {
        if count >= longest {
            text.push('…');
            break;
        }
        match c {
            '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{206f}' => {
                text.extend(c.escape_unicode());
            }
            c if c.is_control() => text.extend(c.escape_default()),
            c => text.push(c),
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_text_is_one_line_without_hidden_characters() {
        assert_eq!(printable(b"4711\n", 64), "4711\\n");
        assert_eq!(printable("a\u{202e}b".as_bytes(), 64), "a\\u{202e}b");
        assert_eq!(printable(b"\0\xff", 64), "\\u{0}\u{fffd}");
        assert_eq!(printable(b"abcd", 3), "abc…");
    }
}
